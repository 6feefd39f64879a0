"""docs/ingest-settings.md lists every setting as the code has it, and so does the help of the commands."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.commands import app
from ingest.settings import IngestSettings
from vitals.setting_names import PREFIX

REPOSITORY = Path(__file__).resolve().parents[2]
FIELDS = {f"{PREFIX}{name.upper()}": field for name, field in IngestSettings.model_fields.items()}


def shown(value: object) -> str:
    """Write a default as the environment would have it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def cell(default: object) -> str:
    """Write it for the table."""
    return "none" if default is None else f"`{shown(default)}`" if shown(default) else "empty"


def test_the_table_is_the_codes() -> None:
    page = (REPOSITORY / "docs" / "ingest-settings.md").read_text(encoding="utf-8")
    wanted = [f"| `{name}` | {cell(field.default)} | {field.description} |" for name, field in FIELDS.items()]
    assert [line for line in page.splitlines() if line.startswith("| `")] == wanted
    assert all(field.description for field in FIELDS.values())


@pytest.mark.parametrize("command", ["run", "serve", "tend"])
def test_help_names_what_must_be_set_first_with_its_default_and_where_the_rest_stands(command: str) -> None:
    helped = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout
    said = " ".join(helped.split())
    named = dict(re.findall(r"(HEARTHWATCH_\w+) \(([^)]*)\)", said))
    assert {"HEARTHWATCH_DATABASE_DSN"} < named.keys()
    assert any(name.endswith("METRICS_PORT") for name in named)
    assert named == {name: shown(FIELDS[name].default) for name in named}
    assert set(re.findall(r"HEARTHWATCH_\w+", said)) == named.keys()
    pages = re.findall(r"docs/[a-z-]+\.md", said)
    assert "docs/ingest-settings.md" in pages
    assert all((REPOSITORY / page).is_file() for page in pages)
