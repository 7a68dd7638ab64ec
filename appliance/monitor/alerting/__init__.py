"""Alerting: tells people who are not connected."""
