from tests.lab.fixtures import bridge, gateway, inline, mirror, until, until_equal

__all__ = ["bridge", "gateway", "inline", "mirror", "until", "until_equal"]
