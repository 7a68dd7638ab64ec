from tests.lab.fixtures import bridge, gateway, inline, mirror

__all__ = ["bridge", "gateway", "inline", "mirror"]
