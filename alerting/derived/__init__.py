"""Signals from signals: breathing from the beats between breaths, a night's report from its SpO2."""
