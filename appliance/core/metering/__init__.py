"""Decides what departments and hosts have used: usage, ledgers, quotas, accounts, history."""
