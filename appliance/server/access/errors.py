"""The one failure of access that keeps the service from starting."""


class AccessError(Exception):
    """What the appliance needs to let people in cannot be used; the text names the file and what to do."""
