"""Reads, compares, queries and exports lists of blocks."""
