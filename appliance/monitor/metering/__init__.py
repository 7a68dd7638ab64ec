"""Charges departments and hosts with what passed, holds them to their quotas, and records history."""
