"""What is wrong with a service's settings, a line for each, as its variable in the environment is called."""

from collections.abc import Iterable, Mapping
from typing import Any

from vitals.setting_names import PREFIX

_VALUE_CHARACTERS_MAX = 80
_SECRET = ("password", "secret", "dsn")
_WORDS: Mapping[str, str] = {
    "missing": "must be given",
    "greater_than": "{value} is not more than {gt}",
    "greater_than_equal": "{value} is less than {ge}",
    "less_than": "{value} is not less than {lt}",
    "less_than_equal": "{value} is more than {le}",
    "finite_number": "{value} is no finite number",
    "string_too_short": "{value} is too short: at least {min_length} wanted",
    "string_too_long": "{value} is too long: at most {max_length} wanted",
    "enum": "{value} is not {expected}",
    "literal_error": "{value} is not {expected}",
}
_WANTED: Mapping[str, str] = {  # by how the type of error begins
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "path": "a path",
    "url": "an address",
}


def in_lines(errors: Iterable[Mapping[str, Any]]) -> list[str]:
    """Say each of pydantic's errors (ValidationError.errors()) in one line; no secret is shown."""
    return [_in_words(error) for error in errors]


def _in_words(error: Mapping[str, Any]) -> str:
    field = ".".join(str(each) for each in error["loc"])
    kind, context = str(error["type"]), error.get("ctx") or {}
    name = f"{PREFIX}{field.upper()}: " if field else ""
    if kind in ("value_error", "assertion_error"):
        return f"{name}{context['error']}"
    value = _shown(field, error.get("input"))
    if kind in _WORDS:
        return name + _WORDS[kind].format(value=value, **context)
    wanted = _WANTED.get(kind.partition("_")[0])
    return f"{name}{value} is not {wanted}" if wanted else f"{name}{error['msg']}"


def _shown(field: str, value: object) -> str:
    if any(part in field for part in _SECRET):
        return "what it holds"
    text = repr(value)
    return text if len(text) <= _VALUE_CHARACTERS_MAX else f"{text[:_VALUE_CHARACTERS_MAX]}…"
