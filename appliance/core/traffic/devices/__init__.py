"""Devices: what frames tell about them, and the register that keeps them."""
