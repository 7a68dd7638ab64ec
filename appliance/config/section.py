"""A table of the configuration file, of which every table is a kind."""

from typing import TypeVar

from msgspec import Struct


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


SectionT = TypeVar("SectionT", bound=Section)
