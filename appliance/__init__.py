"""Firmware of a department-network appliance: it meters, enforces, detects and shows, live."""

import warnings

from appliance.deferred import defer

defer()
# The appliance is built on eventlet; its authors' advice against new use helps no operator.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
