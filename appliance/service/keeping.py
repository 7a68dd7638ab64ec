"""Keeping: what the command line does to people and tokens by itself, with or without a service that runs.

Whoever can read the secret is the appliance's administrator already: here nobody is asked for a password. The service
notices what was changed here within a second.
"""

REGISTER_FILE = "people.sqlite3"
