"""Wraps the computer itself: clock, memory, sensors, panel, supervisor."""
