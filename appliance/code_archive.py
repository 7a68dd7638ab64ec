"""Loads modules from one file, in which the code of all that a start needs lies in the order in which it is needed.

To find 700 modules in their folders and to read a file for each is two fifths of what importing them takes in the
emulated image. `image/build` writes the archive, because the root that it makes cannot be changed: nothing is compared
with the sources. Whatever is not in the archive is imported as ever, and so is all where there is none. A zip file will
not do: Python reads it by a program in Python.
"""

import marshal
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any

HEADER = 16  # bytes of a compiled file before its code (PEP 552)
SIZE_BYTES = 8  # of the index, in the archive's own header

Place = tuple[int, int, str]  # where a module's code begins, its bytes, and the path of its source
PACKAGE = "__init__.py"


class ArchivedLoader(SourceFileLoader):
    """Loads one module as Python does, but for where the code is."""

    def __init__(self, name: str, path: str, archive: "CodeArchive") -> None:
        super().__init__(name, path)
        self._archive = archive

    def get_code(self, fullname: str) -> CodeType:
        """The module's code."""
        return self._archive.code(fullname)


class CodeArchive:
    """Finds the modules of an archive. It stays open, for those that are imported later."""

    def __init__(self, descriptor: int, begin: int, places: Mapping[str, Place]) -> None:
        """`begin`: the offset from which the places count."""
        self._descriptor, self._begin, self._places = descriptor, begin, places

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002  the import system's
        """Where the module is; `None`: not in the archive."""
        place = self._places.get(name)
        if place is None:
            return None
        source = place[2]
        folder = [source[: -len(PACKAGE) - 1]] if source.endswith(f"/{PACKAGE}") else None
        loader = ArchivedLoader(name, source, self)
        return spec_from_file_location(name, source, loader=loader, submodule_search_locations=folder)

    def code(self, name: str) -> CodeType:
        """The code of one of its modules."""
        offset, size, _ = self._places[name]
        code: CodeType = marshal.loads(os.pread(self._descriptor, size, self._begin + offset))  # noqa: S302  as Python reads it
        return code


def write_archive(file: str, modules: Iterable[ModuleType]) -> int:
    """Write the compiled code of those modules that have some beside their sources; returns their number."""
    places: dict[str, Place] = {}
    codes: list[bytes] = []
    end = 0
    for module in modules:
        spec = getattr(module, "__spec__", None)  # which a program and a pretended module lack
        if spec is None or not str(spec.origin).endswith(".py") or spec.name in places:
            continue
        compiled = cache_from_source(spec.origin)
        if os.path.exists(compiled):  # noqa: PTH110  no `pathlib` while all else waits to be loaded
            with open(compiled, "rb") as one:  # noqa: PTH123
                code = one.read()[HEADER:]
            places[spec.name] = end, len(code), spec.origin
            codes.append(code)
            end += len(code)
    index = marshal.dumps(places)
    with open(file, "wb") as archive:  # noqa: PTH123
        archive.writelines((MAGIC_NUMBER, len(index).to_bytes(SIZE_BYTES, "little"), index, *codes))
    return len(places)


def use_archive(file: str) -> None:
    """Import from this archive from now on; without it, or with one of another Python, all is as ever."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except OSError:
        return
    fixed = len(MAGIC_NUMBER) + SIZE_BYTES
    head = os.read(descriptor, fixed)
    if len(head) < fixed or not head.startswith(MAGIC_NUMBER):
        os.close(descriptor)
        return
    size = int.from_bytes(head[len(MAGIC_NUMBER) :], "little")
    places = marshal.loads(os.read(descriptor, size))  # noqa: S302  as Python reads compiled files
    sys.meta_path.insert(0, CodeArchive(descriptor, fixed + size, places))
