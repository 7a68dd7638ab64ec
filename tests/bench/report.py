"""What a bench writes into the documentation: tables between marks, and the picture of how figures grow.

A growing figure is `Growth`. Its picture follows from its table alone, so that the two cannot differ.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import linear_regression

FOLDER = Path(__file__).parents[2] / "deploy" / "docs"
PAGE, PICTURE = FOLDER / "performance.md", FOLDER / "growth.svg"
# What a figure must have grown by at the largest number, as a part of its value at the smallest, not to be called flat:
# a busy machine adds as much. And what it must have at a number that is fitted: less is a disturbance.
LEAST_GROWTH, LEAST_FITTED = 0.15, 0.1
FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure at each number of something. `axis`: what there are so many of; `unit`: of the values."""

    axis: str
    figure: str
    unit: str
    numbers: Sequence[int]
    values: Sequence[float]

    @property
    def exponent(self) -> float | None:
        """How the part above the value at the smallest number grows; `None`: it hardly does."""
        first, fixed = self.numbers[0], self.values[0]
        above = [
            (log10(number - first), log10(value - fixed))
            for number, value in zip(self.numbers[1:], self.values[1:], strict=True)
            if value - fixed > LEAST_FITTED * fixed
        ]
        if self.values[-1] - fixed <= LEAST_GROWTH * fixed or len(above) < 2:
            return None
        return linear_regression(*zip(*above, strict=True)).slope


def table(own: Sequence[Growth]) -> Iterator[str]:
    """A table in Markdown of the figures of one axis, by lines."""
    numbers = " | ".join(f"{number:,}" for number in own[0].numbers)
    yield ""
    yield f"| {own[0].axis} | {numbers} | exponent |"
    yield f"|{'---|' * (2 + len(own[0].numbers))}"
    for one in own:
        exponent = FLAT if one.exponent is None else f"{one.exponent:.2f}"
        yield f"| {one.figure}, {one.unit} | {' | '.join(map(_figure, one.values))} | {exponent} |"


def read_tables(text: str) -> list[Growth]:
    """The figures in tables that `table` has written, as precise as these show them."""
    found: list[Growth] = []
    axis, numbers = "", [0]
    for line in text.splitlines():
        if not line.startswith("| "):
            continue
        first, *cells, last = [cell.strip() for cell in line.strip("|").split("|")]
        if last == "exponent":
            axis, numbers = first, [int(cell.replace(",", "")) for cell in cells]
        else:
            figure, unit = first.rsplit(", ", 1)
            values = [float(cell.replace(",", "")) for cell in cells]
            found.append(Growth(axis, figure, unit, numbers, values))
    return found


def write(name: str, lines: Sequence[str]) -> None:
    """Put these lines in place of what a section of the page has between its marks, and draw the picture again."""
    text = PAGE.read_text()
    begin, end = (f"<!-- {mark} {name} -->" for mark in ("begin", "end"))
    before, _, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    assert closed, f"{PAGE} has no section {name}"
    PAGE.write_text("\n".join([before + begin, *lines, "", end + after]))
    PICTURE.write_text(picture(read_tables(section("growth"))))


def section(name: str) -> str:
    """What a section of the page has between its marks."""
    found = re.search(f"<!-- begin {name} -->\n(.*)<!-- end {name} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None, f"{PAGE} has no section {name}"
    return found[1]


def picture(found: Sequence[Growth]) -> str:
    """The figures as lines on logarithmic scales, each as a multiple of its first value; dashed is linear growth."""
    axes: Mapping[str, list[Growth]] = {
        axis: [one for one in found if one.axis == axis] for axis in dict.fromkeys(one.axis for one in found)
    }
    rows = -(-len(axes) // COLUMNS)
    parts = [part for number, (axis, own) in enumerate(axes.items()) for part in _panel(number, axis, own)]
    size = f'width="{COLUMNS * WIDTH}" height="{rows * HEIGHT}" viewBox="0 0 {COLUMNS * WIDTH} {rows * HEIGHT}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
            "<title>How each figure grows, as a multiple of its value at the smallest number</title>",
            '<rect width="100%" height="100%" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


COLUMNS, WIDTH, HEIGHT = 2, 460, 340
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 40, 40  # around the lines of a panel
ROW = 16  # of the legend
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by people who see no red or green (Okabe and Ito)


def _panel(number: int, axis: str, own: Sequence[Growth]) -> Iterator[str]:
    numbers = own[0].numbers
    most = max([numbers[-1] / numbers[0], *(max(one.values) / one.values[0] for one in own)])
    across, up = log10(numbers[-1] / numbers[0]), log10(most)
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def at(count: float, multiple: float) -> str:
        x = LEFT + wide * log10(count / numbers[0]) / across
        y = TOP + high * (1 - log10(max(multiple, 1.0)) / up)
        return f"{x:.1f},{y:.1f}"

    yield f'<g transform="translate({number % COLUMNS * WIDTH},{number // COLUMNS * HEIGHT})">'
    yield f'<text x="{LEFT}" y="20" font-weight="bold">{axis}</text>'
    yield f'<path d="M{LEFT},{TOP}V{TOP + high}H{LEFT + wide}" fill="none" stroke="#888"/>'
    for count in numbers:
        x = at(count, 1).partition(",")[0]
        yield f'<text x="{x}" y="{TOP + high + 18}" text-anchor="middle" fill="#444">{count:,}</text>'
    for power in range(int(up) + 1):
        y = at(numbers[0], 10**power).partition(",")[2]
        yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" fill="#444">{10**power:,}&#215;</text>'
    linear = f"M{at(numbers[0], 1)}L{at(numbers[-1], numbers[-1] / numbers[0])}"
    yield f'<path d="{linear}" fill="none" stroke="#888" stroke-dasharray="5 4"/>'
    for row, (one, colour) in enumerate(zip(own, COLOURS, strict=False)):
        points = [at(count, value / one.values[0]) for count, value in zip(numbers, one.values, strict=True)]
        yield f'<path d="M{"L".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<text x="{LEFT + 10}" y="{TOP + 12 + ROW * row}" fill="{colour}">{one.figure}</text>'
    yield "</g>"


def _figure(value: float) -> str:
    """Three digits, and no more than there are."""
    decimals = max(0, 2 - int(log10(value))) if value >= 1 else 3
    return f"{value:,.{decimals}f}"
