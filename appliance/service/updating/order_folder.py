"""The folder of updates of a state directory, for those who order an update and those who carry it out."""

from pathlib import Path

from appliance.system.storage.files import write_whole
from appliance.system.update.update_folder import UpdateFolder


def order_folder(state_dir: Path) -> UpdateFolder:
    """The folder of updates in this state directory."""
    return UpdateFolder(state_dir, write_whole)
