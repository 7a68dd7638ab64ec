"""Answers plain HTTP requests: a table of pages, each subject in a file of this package."""
