"""What strangers and hostile clients do to a running service: the whole program, started as a person starts it.

After each of them an honest client connects at once, and the service has its memory, its descriptors and a short log.
"""
