"""The command line: each verb calls the running service, or reads and writes the state directory itself."""
