"""Where each field of a TOML text stands: tomllib gives values, people need line numbers."""

import re
import tomllib

Path = tuple[str | int, ...]
"""A field's place: table names, keys, and the number of an entry in an array of tables."""

_HEADER = re.compile(r"(\[\[?)(.*?)(\]\]?)\s*(#.*)?$")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)


def lines_of(text: str) -> dict[Path, int]:
    """Map every table and key of a valid TOML text to its line (from 1); inside inline tables, to the outer key's."""
    lines: dict[Path, int] = {}
    table: Path = ()
    counts: dict[Path, int] = {}
    depth = 0
    masked = _without_strings(text).splitlines()
    for number, (raw, bare) in enumerate(zip(text.splitlines(), masked, strict=True), start=1):
        header = _HEADER.match(bare.strip()) if depth == 0 and bare.lstrip().startswith("[") else None
        if header:
            name = raw.strip()[len(header[1]) : len(header[1]) + len(header[2])]
            table = _entered(_key_path(name), counts, is_array=header[1] == "[[")
            for length in range(1, len(table) + 1):
                lines.setdefault(table[:length], number)
            continue
        if depth == 0 and "=" in bare and bare.strip():
            key = raw[: bare.index("=")]
            for length in range(1, len(_key_path(key)) + 1):
                lines.setdefault(table + _key_path(key)[:length], number)
        depth += sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Give the line of a field, else of what it would stand in; 1 for the whole file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _entered(path: Path, counts: dict[Path, int], *, is_array: bool) -> Path:
    """Give a header's full path: below an array of tables, its newest entry."""
    full: Path = ()
    for place, name in enumerate(path, start=1):
        full += (name,)
        if is_array and place == len(path):
            counts[full] = counts.get(full, -1) + 1
        if full in counts:
            full += (counts[full],)
    return full


def _key_path(key: str) -> Path:
    """Take a bare, quoted or dotted key apart, by the parser itself."""
    value: object = tomllib.loads(f"{key.strip()} = 0")
    path: Path = ()
    while isinstance(value, dict):
        [(name, value)] = value.items()
        path += (name,)
    return path


def _without_strings(text: str) -> str:
    """Blank out strings and comments, keeping every line's length, so that only structure is left."""
    return _STRING.sub(lambda match: re.sub(r"[^\n]", "_" if match[0][0] != "#" else " ", match[0]), text)
