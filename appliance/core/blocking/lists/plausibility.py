"""Doubts a list that changed too much to be believed at once: what a broken server or half a file would look like.

A list that is doubted keeps its former entries for a number of readings. If it then still looks the same, it was meant.
"""

from appliance.core.blocking.lists.list_contents import ListContents

FEWEST_ENTRIES = 10  # of a shorter list, people strike out half by hand; only its last entry is missed
LOST_PERCENT = 33  # published lists lose a few percent a day; half a file loses half


def doubt(contents: ListContents, known_entries: int) -> str | None:
    """Why this content is not believed at once, as a sentence for people; `None`: it is.

    `known_entries`: the number of entries that the list has now.
    """
    entries = len(contents.targets)
    lost = known_entries - entries
    if contents.meaningless > entries:
        return f"{contents.meaningless} of its lines mean nothing, and only {entries} entries do"
    if known_entries and not entries:
        return f"it has no entry any more, and had {known_entries}"
    if known_entries >= FEWEST_ENTRIES and lost * 100 > known_entries * LOST_PERCENT:
        return f"it has lost {lost} of its {known_entries} entries"
    return None


def fault_of(contents: ListContents) -> str | None:
    """Why this is no list, however often it is read; `None`: it may be one."""
    if contents.trouble is None and contents.fault_count and not contents.targets:
        return f"none of its lines is an entry; the first fault: {contents.faults[0].why}"
    return contents.trouble
