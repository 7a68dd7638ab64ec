"""The steps: each reads the machine, asks the core what it means, saves, makes the machine obey and publishes.

A step is an ordinary method that takes a `Moment`. Loops, sockets, threads and signals stand outside. One module is one
path of the data: metering, enforcement, insight, condition, upkeep.
"""
