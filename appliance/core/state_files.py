"""Where the configuration is, and what has a name of its own in the state directory."""

CONFIG_FILE = "/etc/appliance/appliance.toml"  # if nobody says otherwise
STATE_FILE = "appliance.sqlite3"  # books, blocks and people's orders; there is none before the first start
RESET_MARKER = "reset.pending"  # the next start erases all; it names the configuration file
RESTORE_MARKER = "restore.pending"  # the next start puts what a backup had in place
# Folders: of what a backup had, once it was judged, and of the file while people fetch it or give it.
UNPACKED, PASSING = "restored", "passing"
