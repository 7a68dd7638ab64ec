"""The watch for issues of the appliance itself."""
