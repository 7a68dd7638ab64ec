"""Sizes as people read them."""


def size_text(size_bytes: int) -> str:
    """A size for a person, in binary units, as quotas are written: `1.5 GiB`."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
