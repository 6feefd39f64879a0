"""Reads the tables of a registry file strictly: every wrong field becomes a problem with its line; none is fatal."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

from care.toml_lines import Path, line_of

_Choice = TypeVar("_Choice", bound=StrEnum)
_Number = TypeVar("_Number", bound=IntEnum)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with a file: where, and what to do about it."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """Give it as line: field: message."""
        return f"line {self.line}: {self.field}: {self.message}"


class Problems:
    """Collects what is wrong; knows on which line each field stands."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines
        self.found: list[Problem] = []

    def add(self, path: Path, message: str) -> None:
        """Note a problem."""
        name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        self.found.append(Problem(line=line_of(self._lines, path), field=name or "file", message=message))


class Entry:
    """One table of the file. Each reader gives the value, or a stand-in after noting the problem."""

    def __init__(self, path: Path, table: Mapping[str, Any], problems: Problems) -> None:
        self.path = path
        self._table = table
        self._problems = problems
        self._asked: set[str] = set()

    def problem(self, name: str, message: str) -> None:
        """Note a problem with one of the entry's fields."""
        self._problems.add((*self.path, name), message)

    def complain(self, message: str) -> None:
        """Note a problem with the entry as a whole."""
        self._problems.add(self.path, message)

    def has(self, name: str) -> bool:
        """Say whether an optional field is there."""
        self._asked.add(name)
        return name in self._table

    def text(self, name: str, default: str | None = None, *, pattern: str = "") -> str:
        """Read a string; not empty unless it may be left out."""
        value: str | None = self._value(name, str, "a string in quotes", default)
        if value is None:
            return ""
        if not value.strip() and default is None:
            self.problem(name, "is empty; write the name or text it stands for")
        if not value.isprintable() or len(value) > 500:
            self.problem(name, f"{value[:40]!r} has unprintable characters or more than 500 of them")
        if pattern and not re.fullmatch(pattern, value):
            self.problem(name, f"{value!r} is not of the form {pattern}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Read true or false."""
        return bool(self._value(name, bool, "true or false", default))

    def whole(self, name: str, low: int, high: int, *, else_do: str) -> int | None:
        """Read an optional whole number within bounds; `else_do` says why, and the way out."""
        if not self.has(name):
            return None
        value: int | None = self._value(name, int, "a whole number", None)
        if value is not None and not low <= value <= high:
            self.problem(name, f"{value} is not within {low} to {high}: {else_do}")
        return value

    def choice(self, name: str, kind: type[_Choice]) -> _Choice:
        """Read one of a kind's words."""
        return self._member(name, kind, self._value(name, str, f"one of {_words(kind)}", None))

    def choices(self, name: str, kind: type[_Choice]) -> tuple[_Choice, ...]:
        """Read a list of a kind's words, which may be left out."""
        return tuple(self._member(name, kind, item) for item in self.texts(name))

    def number(self, name: str, kind: type[_Number], allowed: Iterable[_Number]) -> _Number:
        """Read one of a kind's numbers."""
        known = list(allowed)
        wanted = f"one of {', '.join(str(int(member)) for member in known)}"
        value = self._value(name, int, wanted, None)
        if value is not None and value not in [int(member) for member in known]:
            self.problem(name, f"{value} is not {wanted}")
            value = None
        return known[0] if value is None else kind(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Read a list of strings, which may be left out."""
        value = self._value(name, list, 'a list of strings, ["…", "…"]', [])
        items = value or []
        for item in items:
            if not isinstance(item, str) or not item.strip() or not item.isprintable():
                self.problem(name, f"{item!r} is no string in quotes")
        return tuple(item for item in items if isinstance(item, str))

    def day(self, name: str) -> date:
        """Read a date."""
        value = self._value(name, date, "a date without quotes, 1950-12-31", None)
        if isinstance(value, datetime):
            self.problem(name, f"{value.isoformat()} has a time of day; write the date alone, {value.date()}")
        return value or date(1900, 1, 1)

    def instant(self, name: str, *, optional: bool) -> datetime | None:
        """Read an instant with its offset from UTC."""
        form = "an instant with its offset and without quotes, 2026-01-31T08:00:00+08:00"
        if optional and not self.has(name):
            return None
        value = self._value(name, date, form, None)
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            self.problem(name, f"{value.isoformat()} is no instant: write {form}")
            return None
        return value

    def reference(self, name: str, known: Iterable[str], what: str) -> str:
        """Read the key of another entry."""
        value = self.text(name)
        names = list(known)
        if value and value not in names:
            self.problem(name, f"{value!r} is no {what} of this file{_hint(value, names)}")
        return value

    def end(self) -> None:
        """Note the fields that nobody asked for."""
        for name in self._table:
            if name not in self._asked:
                self.problem(name, f"is no field here{_hint(name, self._asked)}")

    def _value(self, name: str, kind: type[Any], form: str, default: Any) -> Any:
        self._asked.add(name)
        if name not in self._table:
            if default is None:
                self.problem(name, f"is missing: add {name} = {form}")
            return default
        value = self._table[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.problem(name, f"{value!r} is not {form}")
            return default
        return value

    def _member(self, name: str, kind: type[_Choice], value: str | None) -> _Choice:
        words = [member.value for member in kind]
        if value is not None and value not in words:
            self.problem(name, f"{value!r} is not one of {_words(kind)}{_hint(value, words)}")
        return kind(value) if value in words else next(iter(kind))


def _words(kind: type[StrEnum]) -> str:
    return ", ".join(member.value for member in kind)


def _hint(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
