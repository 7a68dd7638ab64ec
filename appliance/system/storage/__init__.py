"""Wraps what is on the disk: SQLite files and plain files, whole after a power cut."""
