"""Builds what tells people who are not connected."""
