"""Where in a profile's text an error lies: the line of the key, or of the table, that its message names."""

import re

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")
_PARSER = re.compile(r"\(at line (\d+)")


def line_of(body: str, message: str) -> int | None:
    """Give the line, from 1 on, that the message of a ProfileError is about; None where none can be named."""
    told = _PARSER.search(message)
    if told:
        return int(told[1])
    where, _, said = message.partition(":")
    lines = body.splitlines()
    if "at end of document" in message:
        return max(len(lines), 1)
    tables = [(number, found[1].strip()) for number, line in enumerate(lines, 1) if (found := _HEADER.match(line))]
    begin = next((number for number, name in tables if name == where.strip()), None)
    if begin is None:
        return _top_level(lines, message)
    end = next((number for number, _ in tables if number > begin), len(lines) + 1)
    named = set(re.findall(r"[A-Za-z0-9_-]+", said))
    keys = [(number, found[1]) for number in range(begin, end) if (found := _KEY.match(lines[number - 1]))]
    return next((number for number, key in keys if key in named or key.split("_")[0] in _stems(said)), begin)


def _stems(said: str) -> set[str]:
    """Give the words by which a rule's times are named in prose: "window of 7000 ms", "building time of …"."""
    first = said.strip().split(" ")
    return {first[0]} if first[0] in ("window", "building", "clearing") else set()


def _top_level(lines: list[str], message: str) -> int | None:
    named = set(re.findall(r"[A-Za-z0-9_-]+", message))
    for number, line in enumerate(lines, 1):
        header = _HEADER.match(line)
        if header:
            if header[1].split(".")[0] in named:
                return number
            continue
        key = _KEY.match(line)
        if key and key[1] in named:
            return number
    return None
