"""The composition root: opens a machine, builds the appliance over it, drives it on time, and repairs its state.

starting       from the command line's words to a running service
composition    the ladder: every part of the appliance, built in order; `monitors` is its lower half
running        the timetable of all steps, signals, and the end
restoring      the saved blocks alone, at a boot
releasing      takes everything out of the kernel
doctor         looks for what would keep the appliance from its work
"""
