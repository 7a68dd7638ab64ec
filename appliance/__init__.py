"""Firmware of a department-network appliance: it meters, enforces, detects and shows, live."""

from appliance.deferred import defer

defer()
