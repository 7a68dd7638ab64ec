"""The real `socket.io-client`, driven by the tests."""

from tests.client.node import NodeClient, Received

__all__ = ["NodeClient", "Received"]
