"""The panel's three lights, decided from the state by tables that a person can learn by heart."""

from appliance.core.machine import Light, Lights

# (in maintenance) -> the status light; it is lit while the service runs
STATUS = {False: Light.ON, True: Light.SLOW}

# (open incident or exceeded quota, fault) -> the alert light; the first takes precedence
ALERT = {(False, False): Light.OFF, (False, True): Light.SLOW, (True, False): Light.FAST, (True, True): Light.FAST}

# (traffic in the last period) -> the activity light
ACTIVITY = {False: Light.OFF, True: Light.FAST}


def lights(*, read_only: bool, alarmed: bool, troubled: bool, busy: bool) -> Lights:
    """The lights for this state: maintenance, an incident or used-up quota, a fault, traffic."""
    return Lights(STATUS[read_only], ALERT[alarmed, troubled], ACTIVITY[busy])


DARK = Lights(Light.OFF, Light.OFF, Light.OFF)
