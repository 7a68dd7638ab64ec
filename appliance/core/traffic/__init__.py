"""Reads packets: headers, DNS answers, the sites that were visited, the devices that were present."""
