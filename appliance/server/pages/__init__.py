"""Answers plain HTTP requests, a page in each file."""
