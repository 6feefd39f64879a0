"""Whether an `approved_by` names somebody, or is still the text that somebody was to put a name in the place of."""

import re

PLACEHOLDERS = frozenset(
    {
        "who approved it, of which hospital, and when",
        *("todo", "tbd", "tba", "none", "nobody", "na", "unknown", "name", "approved by", "placeholder", "example"),
    }
)
NOT_YET = "not yet approved"


def names_somebody(approved_by: str) -> bool:
    """Say whether this is more than nothing and more than a placeholder."""
    said = " ".join(re.sub(r"[^\w\s,]", "", approved_by).casefold().split())
    return bool(re.search(r"[^\W\dx_]", said)) and said not in PLACEHOLDERS and not said.startswith(NOT_YET)
