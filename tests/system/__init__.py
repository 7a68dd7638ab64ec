"""Each part of the real machine, on the real kernel."""
