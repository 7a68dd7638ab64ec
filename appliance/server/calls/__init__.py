"""Carries out what clients call.

A handler takes a checked argument, calls one method of a monitor and returns the answer; each file has the handlers and
arguments of one subject. A handler refuses by raising `Refused`, which `app` sends to the client.
"""
