"""Decisions: pure functions and values, with no clock, no input or output and no logging."""
