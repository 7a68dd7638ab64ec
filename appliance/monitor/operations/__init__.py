"""Watches the appliance itself: status and health, maintenance, a configuration on trial."""
