"""Cells of a CSV sheet (core): what is read from one, how a value is written into one."""

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

LIST_SEPARATOR = ";"
ROUNDED = re.compile(r"\d(?:\.\d+)?[Ee]\+\d+")
"""A long number as a spreadsheet leaves it: the digits are lost."""

_YES, _NO = ("true", "1", "yes", "是"), ("false", "0", "no", "否", "")
_FORMULA = ("=", "+", "-", "@")


def read_cell(cell: str, kind: type[Any]) -> Any:
    """Read a value of a kind. Raises ValueError."""
    return _CELLS[kind](cell)


def form_of(kind: type[Any], form: str) -> str:
    """Say what a cell is to hold, where the registry file would ask for quotes."""
    return _FORMS.get(kind, form.replace("a string in quotes", "a text"))


def _flag(cell: str) -> bool:
    if cell.lower() not in _YES + _NO:
        raise ValueError(cell)
    return cell.lower() in _YES


def _list(cell: str) -> list[str]:
    return [item.strip() for item in re.split(r"[;；]", cell) if item.strip()]


def _day_or_instant(cell: str) -> date:
    if ":" in cell:
        return datetime.fromisoformat(cell)
    slashes = re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", cell)  # as Excel writes 1950-01-31
    if slashes is None:
        raise ValueError(cell)
    return date(*(int(part) for part in slashes.groups()))


_CELLS: dict[type[Any], Callable[[str], Any]] = {
    str: str,
    bool: _flag,
    int: int,
    list: _list,
    date: _day_or_instant,
}
_FORMS = {
    bool: "true or false (是, 否)",
    date: "a date like 1950-12-31, or an instant with its offset like 2026-01-31T08:00:00+08:00",
}


def written(value: object) -> str:
    """Write a value; lists with `;` between."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return LIST_SEPARATOR.join(map(str, value))
    if isinstance(value, int):
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def armed(cell: str) -> str:
    """Put a ' before what a spreadsheet would run as a formula; `disarmed` takes it off."""
    return f"'{cell}" if cell.lstrip("'").startswith(_FORMULA) else cell


def disarmed(cell: str) -> str:
    """Give the cell as it was."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
