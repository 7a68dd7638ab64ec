"""A QR code (ISO/IEC 18004) of an address, for a telephone in front of a console.

Of the standard this is what an address needs: bytes, error correction level L, and the five smallest versions, which
have one block of codewords and one alignment pattern at most. The mask is always the chequered one: an encoder may
choose it to avoid patterns that texts do not make, and a reader finds in the code which it is.
"""

from collections.abc import Iterator, Sequence
from itertools import product

# By version: codewords of data, and of error correction (table 9).
CODEWORDS = ((19, 7), (34, 10), (55, 15), (80, 20), (108, 26))
MOST_BYTES = CODEWORDS[-1][0] - 2  # the mode, the count and the end take two codewords
FORMAT = 0b111011111000100  # level L with mask 000 (annex C)
FINDER = (0b1111111, 0b1000001, 0b1011101, 0b1011101, 0b1011101, 0b1000001, 0b1111111)
QUIET = 4  # modules of light around it (section 9.1)
FIELD = 0x11D  # the polynomial of GF(256) (section 8.5)

Modules = list[list[bool | None]]  # rows; `None`: not set yet


def qr_code(text: str) -> Sequence[Sequence[bool]]:
    """The rows of modules, true for a dark one, without the light around. Raises `ValueError` beyond `MOST_BYTES`."""
    content = text.encode()
    version = next((number for number, (room, _) in enumerate(CODEWORDS, 1) if len(content) <= room - 2), None)
    if version is None:
        raise ValueError(f"at most {MOST_BYTES} bytes fit")
    modules = _frame(version)
    free = [(row, column) for row, column in _way(len(modules)) if modules[row][column] is None]
    bits = "".join(f"{one:08b}" for one in _codewords(content, *CODEWORDS[version - 1]))
    for (row, column), bit in zip(free, bits.ljust(len(free), "0"), strict=True):
        modules[row][column] = (bit == "1") is not ((row + column) % 2 == 0)
    return [[bool(one) for one in row] for row in modules]


def qr_text(text: str) -> str:
    """The code as lines of half blocks, for a terminal that writes light on dark."""
    code = qr_code(text)
    width = len(code) + 2 * QUIET
    light = [[True] * width for _ in range(width + width % 2)]
    for row, modules in enumerate(code, QUIET):
        light[row][QUIET : QUIET + len(code)] = [not one for one in modules]
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    pairs = zip(light[::2], light[1::2], strict=True)
    return "\n".join("".join(blocks[pair] for pair in zip(*two, strict=True)) for two in pairs)


def _frame(version: int) -> Modules:
    """All that does not depend on the content, with its format; the rest is not set."""
    size = 17 + 4 * version
    modules: Modules = [[None] * size for _ in range(size)]
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        _put_finder(modules, top, left)
    if version > 1:
        for row, column in product(range(-2, 3), repeat=2):  # the alignment pattern
            modules[size - 7 + row][size - 7 + column] = max(abs(row), abs(column)) != 1
    for at in range(8, size - 8):
        modules[6][at] = modules[at][6] = at % 2 == 0
    for number, (first, second) in enumerate(_format_places(size)):
        for row, column in (first, second):
            modules[row][column] = bool(FORMAT >> number & 1)
    modules[size - 8][8] = True
    return modules


def _put_finder(modules: Modules, top: int, left: int) -> None:
    """The pattern of a corner, with the light row and column beside it."""
    size = len(modules)
    for row, column in product(range(-1, 8), repeat=2):
        if 0 <= top + row < size and 0 <= left + column < size:
            is_inside = 0 <= row < 7 and 0 <= column < 7
            modules[top + row][left + column] = is_inside and bool(FINDER[row] >> column & 1)


def _format_places(size: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where each bit of the format stands, twice, the lowest first (figure 25)."""
    down = [0, 1, 2, 3, 4, 5, 7, 8]
    for number in range(15):
        first = (down[number], 8) if number < 8 else (8, 7 if number == 8 else 14 - number)
        second = (8, size - 1 - number) if number < 8 else (size - 15 + number, 8)
        yield first, second


def _way(size: int) -> Iterator[tuple[int, int]]:
    """Every module in the order of the content: up and down in columns of two, from the right (section 8.7.3)."""
    is_up = True
    for right in [*range(size - 1, 6, -2), *range(5, 0, -2)]:
        for row in range(size - 1, -1, -1) if is_up else range(size):
            yield row, right
            yield row, right - 1
        is_up = not is_up


def _codewords(content: bytes, room: int, checks: int) -> Sequence[int]:
    """The content as codewords, filled up, and those of error correction after them."""
    bits = f"0100{len(content):08b}{''.join(f'{one:08b}' for one in content)}0000"
    words = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    words += [(0xEC, 0x11)[number % 2] for number in range(room - len(words))]
    generator = [1]
    root = 1
    for _ in range(checks):
        generator = [a ^ _times(b, root) for a, b in zip([*generator, 0], [0, *generator], strict=True)]
        root = _times(root, 2)
    rest = [*words, *[0] * checks]
    for at in range(room):
        factor = rest[at]
        for number, one in enumerate(generator):
            rest[at + number] ^= _times(one, factor)
    return [*words, *rest[room:]]


def _times(one: int, other: int) -> int:
    """The product of two elements of the field."""
    found = 0
    while other:
        found ^= one * (other & 1)
        one = one << 1 ^ (FIELD if one & 0x80 else 0)
        other >>= 1
    return found
