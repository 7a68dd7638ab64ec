"""Calls about analytics."""
