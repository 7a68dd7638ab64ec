"""Decides which missed alerts a client receives when it reconnects."""
