"""docs/gateway-settings.md lists every setting as the code has it, and its example is one that a gateway takes."""

import json
import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from gateway.alarm.settings import LocalAlarmSettings
from gateway.settings import GatewaySettings, load_settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gateway-settings.md").read_text(encoding="utf-8")


def rows(fields: Mapping[str, FieldInfo]) -> list[str]:
    """Write a table's rows."""
    return [f"| `{name}` | {shown(field)} | {field.description} |" for name, field in fields.items()]


def shown(field: FieldInfo) -> str:
    """Write a default as the file would have it."""
    value: Any = field.default
    if field.is_required():
        return "**must be given**"
    if isinstance(value, BaseModel):
        return "below"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return "none"
    plain = value.value if isinstance(value, Enum) else str(value) if isinstance(value, Path) else value
    return f"`{json.dumps(plain)}`"


@pytest.mark.parametrize(
    ("heading", "model"), [("The gateway", GatewaySettings), ("[local_alarm]", LocalAlarmSettings)], ids=str
)
def test_the_table_is_the_codes(heading: str, model: type[BaseModel]) -> None:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows(model.model_fields)


def test_the_example_is_taken(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "gateway.toml").write_text(example, encoding="utf-8")
    settings = load_settings(tmp_path / "gateway.toml", {})
    assert (settings.gateway_id, settings.links_max, settings.local_alarm.led_shows_unreachable) == ("gw-017", 3, False)
