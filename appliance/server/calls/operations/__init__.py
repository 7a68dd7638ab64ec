"""Calls about the appliance itself: configuration and maintenance."""
