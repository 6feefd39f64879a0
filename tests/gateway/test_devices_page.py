"""docs/devices.md names every driver once, and no driver that is not there."""

import re
from pathlib import Path

from gateway.drivers import DRIVERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "devices.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)


def test_every_driver_has_one_row() -> None:
    assert sorted(ROWS) == sorted(driver.name for driver in DRIVERS)


def test_a_row_says_how_sure_it_is() -> None:
    for row in (line for line in PAGE.splitlines() if line.startswith("| `")):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 6, row
        assert re.search("recorded|built|cross-checked", cells[4]), row
