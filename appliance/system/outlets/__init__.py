"""Outlets: the ways by which notices leave the appliance. Each wraps one library, and waits for the network."""
