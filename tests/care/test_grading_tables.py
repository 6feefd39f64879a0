"""The tables in docs/ are what the program decides by."""

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from care.commands import app
from care.grading_tables import pictures, referral_csv, referral_table, risk_table

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_pages_hold_the_tables_whole() -> None:
    assert risk_table() in (DOCS / "risk.md").read_text(encoding="utf-8")
    assert referral_table() in (DOCS / "referral.md").read_text(encoding="utf-8")
    assert (DOCS / "referral.csv").read_text(encoding="utf-8") == referral_csv()


def test_every_picture_is_a_line_of_its_own_with_a_clause() -> None:
    lines = list(csv.DictReader(io.StringIO(referral_csv())))
    assert len(lines) == len(set(pictures())) == 960
    assert all(line["clause"] for line in lines)


@pytest.mark.parametrize(
    ("table", "line"), [("risk", "| from_80 |"), ("referral", "| 3b |"), ("pictures", "critical,")]
)
def test_the_command_prints_them(table: str, line: str) -> None:
    printed = CliRunner().invoke(app, ["grading", table])
    assert printed.exit_code == 0
    assert any(each.startswith(line) for each in printed.stdout.splitlines())
