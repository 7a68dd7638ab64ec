"""The state directory: who owns it, and how it opens whatever has become of its files."""
