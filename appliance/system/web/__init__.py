"""Fetches what lies on HTTP servers that are not trusted: block lists, bundles of updates."""
