"""A connection between a client and a server that loses what the server says, and breaks, when a test wants it."""

import socket
import threading
from contextlib import suppress


class LossyLine:
    """Listens on a port of its own and passes bytes both ways."""

    def __init__(self, port: int) -> None:
        """`port`: of the server."""
        self._port = port
        self._is_lossy = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> "LossyLine":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(20)

    def lose_answers(self) -> None:
        """From now on, what the server sends does not arrive."""
        self._is_lossy = True

    def cut(self) -> None:
        """Break all connections; later ones work again."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open = []
        self._is_lossy = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open += [client, server]
            for source, target, is_answer in ((client, server, False), (server, client, True)):
                self._threads.append(threading.Thread(target=self._pass, args=(source, target, is_answer)))
                self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not (is_answer and self._is_lossy):
                    target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
