"""Builds the rules, sets and meters of the kernel's packet filter."""
