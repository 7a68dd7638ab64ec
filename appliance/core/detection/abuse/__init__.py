"""Abuse of what one is let do: floods, passwords that are tried, data in names."""
