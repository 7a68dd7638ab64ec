"""Calls about people, their tokens and the audit trail."""
