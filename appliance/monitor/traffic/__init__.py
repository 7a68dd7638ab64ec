"""Follows the captured packets: analytics, anomalies, incidents."""
