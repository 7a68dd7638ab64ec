"""A mail server, by aiosmtpd: `python -m tests.system.outlets.mail_server PORT FOLDER [stuck]`.

It keeps each mail as a file of the folder. With `stuck`, it takes a mail whole, makes the file `stuck`, and never says
that it has taken it.
"""

import asyncio
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Folder:
    """Keeps mails."""

    def __init__(self, folder: Path, is_stuck: bool) -> None:
        self._folder, self._is_stuck = folder, is_stuck

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self._is_stuck:
            (self._folder / "stuck").touch()
            await asyncio.Event().wait()
        assert isinstance(envelope.content, bytes)
        part = self._folder / "part"
        part.write_bytes(envelope.content)
        part.rename(self._folder / f"{len(list(self._folder.glob('*.eml')))}.eml")
        return "250 OK"


async def serve(port: int, folder: Path, is_stuck: bool) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Folder(folder, is_stuck), loop=loop), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), "stuck" in sys.argv))
