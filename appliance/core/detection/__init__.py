"""Decides which traffic is hostile or unusual, and which sources to block for it."""
