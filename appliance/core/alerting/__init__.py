"""Decides which alerts a client that was away is sent again."""
