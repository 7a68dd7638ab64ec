"""The call of the factory reset: who may order it, and that the order is on the medium before it is acknowledged."""

import socket

from appliance.core.state_files import RESET_MARKER
from appliance.server.access import Role
from tests.server.conftest import Connect, Running

NAME = {"name": socket.gethostname()}


def test_a_reset_needs_an_administrator_of_all_and_the_name(server: Running, connect: Connect) -> None:
    for claims in ({"role": Role.OPERATOR}, {"departments": ["dept123"]}):
        assert connect(**claims).call("system:reset", NAME)["code"] == "E_FORBIDDEN"
    admin = connect()
    assert "nothing is reset" in admin.call("system:reset", {"name": "another"})["error"]
    assert not (server.state_dir / RESET_MARKER).exists()
    assert admin.call("system:reset", NAME) == {"success": True}
    assert (server.state_dir / RESET_MARKER).read_text() == str(server.state_dir / "appliance.toml")
