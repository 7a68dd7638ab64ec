"""Decides what is hostile or unusual in the traffic, and what follows from it."""
