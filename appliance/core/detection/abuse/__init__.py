"""Abuse of what one is let do: floods, passwords that are tried, data in names, servers that nobody has set up."""
