"""Decides how the appliance itself is: health, maintenance, the panel, a configuration on trial."""
