"""Decides which rates are unusual for a department."""
