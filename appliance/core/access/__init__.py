"""Decides who may do what: people, tokens and their lifetime, limits for strangers, entries of the audit trail."""
