"""docs/devices.md names every driver once, and no driver that is not there."""

import re
from pathlib import Path

import pytest

from gateway.drivers.driver import Driver
from gateway.drivers.table import DRIVERS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "devices.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_every_driver_has_one_row(driver: Driver) -> None:
    assert ROWS.count(driver.name) == 1, f"{driver.name} has {ROWS.count(driver.name)} rows in docs/devices.md"


def test_every_row_has_a_driver() -> None:
    assert set(ROWS) <= {driver.name for driver in DRIVERS}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_how_sure_it_is(name: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 6, row
    assert re.search("recorded|built|cross-checked", cells[4]), f"the column of vectors says none of the three: {row}"
