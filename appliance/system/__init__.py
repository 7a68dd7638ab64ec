"""The real machine: each module wraps one library or one interface of the kernel, and knows only its own package."""
