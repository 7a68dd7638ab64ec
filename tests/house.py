"""Measures the shape of the code: `python -m tests.house [FOLDER]` prints a table.

FOLDER is another checkout to measure, for a comparison. Lines are counted as they stand, with comments and blank lines.
A function's length includes its signature and docstring.
"""

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGE = "appliance"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    path: Path
    name: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    @property
    def lines(self) -> int:
        return self.path.read_text().count("\n")

    def functions(self) -> Iterator[ast.FunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef))

    def classes(self) -> Iterator[str]:
        return (node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    def imported(self) -> Iterator[str]:
        """What is imported when the module is: modules, and `module.name` for each name that may be one."""
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


class House:
    """All modules of a checkout."""

    def __init__(self, project: Path = PROJECT) -> None:
        files = sorted((project / PACKAGE).rglob("*.py"))
        self.modules = [Module(path, _name(path.relative_to(project))) for path in files]

    def largest_folder(self) -> tuple[int, str]:
        """How many files the folder with the most has, and its name."""
        [(folder, count)] = Counter(module.path.parent for module in self.modules).most_common(1)
        return count, folder.name

    def function_lengths(self, *, constructors: bool) -> list[tuple[int, str]]:
        """The lines of each constructor, or of each other function, the longest first."""
        return sorted(
            (
                (node.end_lineno - node.lineno + 1, f"{module.name}:{node.name}")
                for module in self.modules
                for node in module.functions()
                if (node.name == "__init__") is constructors and node.end_lineno is not None
            ),
            reverse=True,
        )

    def repeated_stems(self) -> list[str]:
        """The file names that stand in more than one folder."""
        stems = Counter(module.path.stem for module in self.modules if module.path.stem != "__init__")
        return sorted(stem for stem, count in stems.items() if count > 1)

    def repeated_classes(self) -> list[str]:
        """The class names that more than one module defines."""
        defined_in: Mapping[str, set[str]] = defaultdict(set)
        for module in self.modules:
            for name in module.classes():
                defined_in[name].add(module.name)
        return sorted(name for name, modules in defined_in.items() if len(modules) > 1)

    def circles(self) -> list[list[str]]:
        """The groups of modules that import one another."""
        names = {module.name for module in self.modules}
        imports = {module.name: {*module.imported()} & names - {module.name} for module in self.modules}
        reached = {name: _reached(name, imports) for name in names}
        groups = {tuple(sorted({name} | {one for one in reached[name] if name in reached[one]})) for name in names}
        return sorted(list(group) for group in groups if len(group) > 1)

    def lines(self) -> int:
        """The lines of all modules."""
        return sum(module.lines for module in self.modules)


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [*imports[start]]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += imports[name]
    return reached


def _figure(measured: tuple[int, str]) -> str:
    return f"{measured[0]} ({measured[1]})"


def main(project: Path) -> None:
    """Print the table."""
    house = House(project)
    functions, constructors = (house.function_lengths(constructors=one) for one in (False, True))
    rows = (
        ("files, lines", f"{len(house.modules)}, {house.lines()}"),
        ("files in the largest folder", _figure(house.largest_folder())),
        ("longest function", _figure(functions[0])),
        ("functions over 60 lines", sum(length > 60 for length, _ in functions)),
        ("longest constructor", _figure(constructors[0])),
        ("constructors over 25 lines", sum(length > 25 for length, _ in constructors)),
        ("circles of imports", len(house.circles())),
        ("file names that occur twice", f"{len(house.repeated_stems())}: {', '.join(house.repeated_stems())}"),
        ("class names that occur twice", f"{len(house.repeated_classes())}: {', '.join(house.repeated_classes())}"),
    )
    for label, figure in rows:
        print(f"{label:30} {figure}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT)
