"""Benchmarks: commands that measure on real parts and print JSON; ratios taken in one run, never a timed test."""
