"""Charges departments and hosts with what passed, limits them by their quotas, and records history."""
