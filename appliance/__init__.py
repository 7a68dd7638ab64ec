"""Firmware of a department-network appliance: it meters, enforces, detects and shows, live."""

import warnings

from appliance.code_archive import use_archive
from appliance.deferred import defer

# The order counts: what is deferred is so in an archive, too.
use_archive(f"{__path__[0]}/start.code")
defer()
# The appliance is built on eventlet; its authors' advice against new use helps no operator.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
