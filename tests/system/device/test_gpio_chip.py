"""The chip of the pin header is found by its name, whatever its number."""

from pathlib import Path

import pytest

from appliance.system.device.gpio_chip import NoChip, header_chip, label_of

BOARDS = {
    "a Pi 4": (["pinctrl-bcm2711", "raspberrypi-exp-gpio"], 0),
    "a Pi 3, and a Zero 2 W": (["pinctrl-bcm2835", "raspberrypi-exp-gpio"], 0),
    "a Pi 5 of 2023": (["gpio-brcmstb@107d508500", "gpio-brcmstb@107d508520", "x", "y", "pinctrl-rp1"], 4),
    "a Pi 5 of today": (["pinctrl-rp1", "gpio-brcmstb@107d508500", "gpio-brcmstb@107d508520"], 0),
    "a Pi with an expander before it": (["pcf8574", "pinctrl-bcm2711"], 1),
}


def chips(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"gpiochip{number}").touch()


@pytest.mark.parametrize(("labels", "number"), list(BOARDS.values()), ids=list(BOARDS))
def test_the_chip_is_found_by_its_label(labels: list[str], number: int, tmp_path: Path) -> None:
    chips(tmp_path, len(labels))
    assert header_chip(tmp_path, lambda chip: labels[int(chip.name.removeprefix("gpiochip"))]) == number


def test_where_there_is_none_it_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(NoChip, match="there is none"):
        header_chip(tmp_path)
    chips(tmp_path, 1)
    with pytest.raises(NoChip, match=r"gpiochip0 is 9030000\.pl061"):
        header_chip(tmp_path, lambda chip: "9030000.pl061")


def test_a_file_that_is_no_chip_cannot_be_asked(tmp_path: Path) -> None:
    chips(tmp_path, 1)
    with pytest.raises(OSError, match="ioctl"):
        label_of(tmp_path / "gpiochip0")
