"""The composition root: which machine, what is built over it, what drives it, and what could keep it from running."""
