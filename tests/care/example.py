"""The example county, and broken variants of it."""

import re
from importlib.resources import files

from care.registry import Registry
from care.registry_file import parse_registry

TEXT = files("care").joinpath("examples/county.toml").read_text(encoding="utf-8")
SOURCE = "county.toml"


def example(*changes: tuple[str, str]) -> Registry:
    """Parse the example with some of its text replaced."""
    return parse_registry(changed(*changes), SOURCE)


def without_passwords(*changes: tuple[str, str]) -> Registry:
    """Parse the example without passwords, which take their time to hash."""
    return parse_registry(re.sub(r"(?m)^password = .*\n", "", changed(*changes)), SOURCE)


def changed(*changes: tuple[str, str]) -> str:
    """Replace text of the example, once each; it must be there."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def line_with(text: str, part: str) -> int:
    """Say on which line the part stands first."""
    return next(number for number, line in enumerate(text.splitlines(), start=1) if part in line)
