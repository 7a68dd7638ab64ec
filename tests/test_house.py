"""The size of the rooms: what a newcomer can find and read in one go. `python -m tests.house` prints the figures."""

import pytest

from tests.house import House

MOST_FILES = 13  # of a folder: a list that is taken in at a glance
LONGEST_FUNCTION = 60  # lines: what a screen shows
LONGEST_CONSTRUCTOR = 25  # lines: beyond that an object is put together from too many things; a rung of the ladder too
MOST_REPEATED_FILES = 6  # names: the simulator's parts are called like the real ones
MOST_REPEATED_CLASSES = 0


@pytest.fixture(scope="module")
def house() -> House:
    return House()


def test_no_folder_holds_more_files_than_one_takes_in_at_a_glance(house: House) -> None:
    assert house.largest_folder()[0] <= MOST_FILES, house.largest_folder()


@pytest.mark.parametrize(("constructors", "most"), [(False, LONGEST_FUNCTION), (True, LONGEST_CONSTRUCTOR)])
def test_no_function_is_longer_than_one_reads_in_one_go(house: House, constructors: bool, most: int) -> None:
    assert [one for one in house.function_lengths(constructors=constructors) if one[0] > most] == []


def test_no_rung_of_the_composition_is_longer_than_a_constructor(house: House) -> None:
    rungs = [one for one in house.function_lengths(constructors=False) if one[1].partition(":")[2].startswith("build_")]
    assert rungs
    assert [one for one in rungs if one[0] > LONGEST_CONSTRUCTOR] == []


def test_no_modules_import_one_another_in_a_circle(house: House) -> None:
    assert house.circles() == []


def test_one_name_means_one_thing(house: House) -> None:
    assert len(house.repeated_stems()) <= MOST_REPEATED_FILES, house.repeated_stems()
    assert len(house.repeated_classes()) <= MOST_REPEATED_CLASSES, house.repeated_classes()
