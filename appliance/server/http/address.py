"""Where programs and people reach the server."""


def reachable_url(host: str, port: int, *, tls: bool = False) -> str:
    """The URL at which programs on this machine reach a server that is bound to `host`."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  the server's address, bound elsewhere
    scheme = "https" if tls else "http"
    return f"{scheme}://{everywhere.get(host, f'[{host}]' if ':' in host else host)}:{port}"
