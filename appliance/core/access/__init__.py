"""Decides who may do what: people, tokens and their lifetime, rate limits, entries of the audit trail."""
