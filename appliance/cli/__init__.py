"""The command line: each verb is a client of the running service, or reads and writes the state directory itself."""
