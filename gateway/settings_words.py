"""What is wrong with a setting, in words that name it and say what would be right (core)."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

_VALUE_CHARACTERS_MAX = 80
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "greater_than": "is {value}; it must be more than {gt}",
    "greater_than_equal": "is {value}; {ge} is the least",
    "less_than": "is {value}; it must be less than {lt}",
    "less_than_equal": "is {value}; {le} is the most",
    "finite_number": "is {value}; a finite number is wanted",
    "enum": "is {value}; it can be {expected}",
    "literal_error": "is {value}; it can be {expected}",
}
_WAYS_OUT: Mapping[str, str] = {  # of a setting that is missing
    "gateway_id": "enrol this box (hearthwatch gateway enrol), or name a settings file by --config",
}
_WANTED: Mapping[str, str] = {  # by how the type of error begins
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
}


def in_words(error: Mapping[str, Any], known: Iterable[str]) -> str:
    """Say one of pydantic's errors; `known` are the names of all settings."""
    place = tuple(str(each) for each in error["loc"])
    name = ".".join(place)
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(place[-1], list(known), n=1)
        return f"{name} is no setting of a gateway" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "value_error":
        return f"{name}: {context['error']}" if name else str(context["error"])
    if kind == "missing" and name in _WAYS_OUT:
        return f"{name} is missing: {_WAYS_OUT[name]}"
    value = _shown(name, error.get("input"))
    if kind in _WORDS:
        return f"{name} {_WORDS[kind].format(value=value, **context)}"
    wanted = _WANTED.get(kind.partition("_")[0])
    return f"{name} is {value}" + (f"; {wanted} is wanted" if wanted else ", which it can not be")


def _shown(name: str, value: object) -> str:
    """Show a value as the file has it, but no secret and nothing endless."""
    if "password" in name:
        return "of another kind"
    text = repr(value)
    return text if len(text) <= _VALUE_CHARACTERS_MAX else f"{text[:_VALUE_CHARACTERS_MAX]}…"
