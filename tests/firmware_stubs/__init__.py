"""Tests of firmware_stubs."""
