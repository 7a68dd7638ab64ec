"""Backs the appliance up into one file, and restores it from there."""
