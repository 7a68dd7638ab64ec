"""Decides the appliance's own state: health, maintenance, the panel, a configuration on trial."""
