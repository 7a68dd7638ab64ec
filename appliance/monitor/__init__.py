"""The steps: each reads the machine, asks the core what it means, saves, makes the machine obey and publishes.

A step is an ordinary method that takes a `Moment`. Loops, sockets, threads and signals stay outside. Each package is
one path of the data: metering, blocking, traffic, and operations (status, maintenance mode, a configuration's trial).
"""
