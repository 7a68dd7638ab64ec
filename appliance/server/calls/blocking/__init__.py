"""Calls about blocks and block lists."""
