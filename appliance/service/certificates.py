"""Where the certificate is that clients see; light enough for the command line."""

from pathlib import Path

from appliance.config import Server

OWN_FILE = "server.pem"  # key and certificate, in the state directory


def certificate_file(server: Server, state_dir: Path) -> Path:
    """The operator's certificate, or the appliance's own."""
    return Path(server.certificate) if server.certificate else state_dir / OWN_FILE
