"""Ports of the loopback for services that cannot choose one by themselves."""

import socket


def reserve_port(address: str = "127.0.0.1") -> socket.socket:
    """A bound socket whose port is given to nobody else as long as it is open; a service can listen on it.

    Linux lets two sockets with SO_REUSEADDR have one port as long as only one listens (socket(7)), and chooses no port
    by itself that any has.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind((address, 0))
    return reserved
