"""The queue of notices, in tables of the state."""
