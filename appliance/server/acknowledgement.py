"""Makes the acknowledgement of a login or a call."""

import logging
from collections.abc import Callable
from typing import Any

from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import ErrorEvent

log = logging.getLogger(__name__)


def acknowledged(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do this work and return its acknowledgement. It never raises, so that every client gets an answer."""
    try:
        return {"success": True, **work()}
    except Refused as refused:
        return {"success": False, "error": refused.message, "code": refused.code}
    except Exception:  # one call's bug must neither hang its client nor end metering
        log.exception("a client's request failed")
        text = "the appliance failed to do this; its log says why"
        return {"success": False, "error": text, "code": Code.INTERNAL}


def error_event(code: Code, message: str, now: Moment) -> ErrorEvent:
    """The event that carries a refusal to its client."""
    return ErrorEvent(timestamp=timestamp(now.wall), code=code, message=message)
