"""The text of a settings file with some keys set, everything else as its author left it (core)."""

import re
import tomllib
from collections.abc import Mapping

Value = str | int
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)


class SettingsTextError(ValueError):
    """A settings file can not be changed by us; the message says why, and then a person has to."""


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """Set top-level keys of a TOML text: in their own line where they stand, else at the end of the top level."""
    before = _parsed(text)
    table = _TABLE.search(text)
    top, rest = (text[: table.start()], text[table.start() :]) if table else (text, "")
    for key, value in values.items():
        line = f"{key} = {_written(key, value)}"
        top, count = re.subn(rf"(?m)^[ \t]*{re.escape(key)}[ \t]*=.*$", line, top, count=1)
        if not count:
            top = f"{top}{'' if not top or top.endswith(chr(10)) else chr(10)}{line}\n"
    after = top + rest
    if _parsed(after) != before | dict(values):
        raise SettingsTextError(f"set these by hand: {', '.join(values)}; the file is written in an unusual way")
    return after


def _parsed(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise SettingsTextError(f"not TOML: {exc}") from exc


def _written(key: str, value: Value) -> str:
    if isinstance(value, int):
        return str(value)
    if not value.isprintable() or '"' in value or "\\" in value:
        raise SettingsTextError(f"{key} has characters that it can not have: {value!r}")
    return f'"{value}"'
