"""Tests of the rules over single measurements."""
