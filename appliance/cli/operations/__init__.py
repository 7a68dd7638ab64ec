"""The shell verbs about the computer as a whole."""
