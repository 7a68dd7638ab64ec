"""Attacks on a running service: the whole program, started as a person starts it.

After each attack an honest client connects at once, and the service has its memory and descriptors back and wrote
little to its log.
"""
