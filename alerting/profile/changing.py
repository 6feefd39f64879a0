"""A profile's text with numbers of one rule changed, and which of a rule's numbers there are to change."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerting.profile.limits import FORMS
from alerting.profile.tables import ProfileError

LIMIT = "limit"
"""Stands for the one of `FORMS` in which a rule's limit is written."""

CHANGEABLE = (LIMIT, "clear_at", "window_s", "share_percent", "clear_s", "repeat_until_s", "longer_than_s")
_KINDS = ("sustained", "repeat", "fever")
_KEY = re.compile(r"^(\s*)([A-Za-z0-9_-]+)(\s*=\s*)[^#\n]*?(\s*(?:#.*)?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changeable:
    """A rule with its numbers as they stand, by the keys of `CHANGEABLE`; the limit's form beside it."""

    rule: str
    form: str
    numbers: Mapping[str, float]


def changeable(body: str) -> list[Changeable]:
    """List the rules of a profile's text whose limit is a number of its own, in the order written."""
    document, found = tomllib.loads(body), dict[str, Changeable]()
    for kind in _KINDS:
        for rule, table in document.get(kind, {}).items():
            form = next((form for form in FORMS if form in table), "")
            if form:
                known = found[rule].numbers if rule in found else {}
                found[rule] = Changeable(rule=rule, form=form, numbers={**_numbers(table, form), **known})
    return list(found.values())


def changed(body: str, rule: str, numbers: Mapping[str, float]) -> str:
    """Give the text with a rule's numbers changed, in each table of the rule that has them. Raises ProfileError.

    The text stays as it is but for them: what a variant says of the rule too.
    """
    lines, done = body.splitlines(keepends=True), set[str]()
    headers = {f"[{kind}.{rule}]" for kind in _KINDS}
    inside = False
    for number, line in enumerate(lines):
        if line.lstrip().startswith("["):
            inside = line.strip() in headers
        found = _KEY.match(line.rstrip("\n")) if inside else None
        if found is None:
            continue
        key = LIMIT if found[2] in FORMS else found[2]
        if key in numbers:
            end = "\n" if line.endswith("\n") else ""
            lines[number] = f"{found[1]}{found[2]}{found[3]}{_written(key, numbers[key])}{found[4]}{end}"
            done.add(key)
    if missing := numbers.keys() - done:
        raise ProfileError(f"{rule}: has no {', '.join(sorted(missing))} to change")
    return "".join(lines)


def _numbers(table: Mapping[str, Any], form: str) -> dict[str, float]:
    named = {LIMIT: table[form]} | {key: table[key] for key in CHANGEABLE if key in table}
    return {key: float(value) for key, value in named.items()}


def _written(key: str, value: float) -> str:
    """Write a limit with its point, as a profile has it, and times and shares without."""
    return (
        repr(float(value)) if key in (LIMIT, "clear_at") else f"{value:g}" if value != int(value) else str(int(value))
    )
