"""Exponents, and that the documentation's picture of growth shows what its tables say."""

import pytest

from tests.bench.report import PICTURE, Growth, picture, read_tables, section, table

NUMBERS = (1, 10, 100, 1000)


def growth(*values: float) -> Growth:
    return Growth("blocks", "an order", "ms", NUMBERS, values)


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_the_exponent_is_of_what_grows_and_not_of_what_is_there_anyway(power: float) -> None:
    exponent = growth(*(7 + 3 * (number - 1) ** power for number in NUMBERS)).exponent
    assert exponent == pytest.approx(power, abs=0.01)


@pytest.mark.parametrize("values", [(5, 5, 5, 5), (5, 5.1, 4.9, 5.2), (5, 9, 5, 5), (5, 4, 3, 2)])
def test_what_hardly_grows_is_flat(values: tuple[float, ...]) -> None:
    assert growth(*values).exponent is None


def test_a_table_can_be_read_again() -> None:
    shown = [growth(0.012, 1.5, 22, 1234), Growth("blocks", "a boot", "s", NUMBERS, (1, 1, 1, 1))]
    assert read_tables("\n".join(table(shown))) == [
        Growth("blocks", one.figure, one.unit, list(NUMBERS), list(one.values)) for one in shown
    ]


def test_the_picture_shows_what_the_tables_say() -> None:
    assert PICTURE.read_text() == picture(read_tables(section("growth")))
