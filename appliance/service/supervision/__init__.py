"""What becomes of the service when it fails: how soon it starts again, and what it leaves to be read."""
