"""docs/technical-alarms.md names every technical alarm, with its priority and a test that there is."""

import re
from pathlib import Path

from alerting.profile.file import parse_profile, standard_adult

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "technical-alarms.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")] for line in PAGE.splitlines() if line.startswith("| `TECH-")
]


def test_every_technical_alarm_has_its_row_and_every_row_its_alarm() -> None:
    consequences = parse_profile(standard_adult()).consequences.values()
    assert {(row[0].strip("`"), row[3]) for row in ROWS} == {(c.rule, c.priority) for c in consequences if c.technical}


def test_every_test_that_it_names_is_there() -> None:
    tests = "".join(file.read_text() for file in (REPOSITORY / "tests" / "alerting").glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) >= 10
    assert {name for name in named if f"def {name}(" not in tests} == set()
