"""Calls about quotas and history."""
