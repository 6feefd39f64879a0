"""Second limits that raise nothing, and are told with a rule's raise where they are broken too."""

from collections.abc import Sequence
from typing import Any

from alerting.profile.limits import FORMS
from alerting.profile.profile import Profile, Tag
from alerting.profile.tables import ProfileError, get, level, only, signal_of


def tag(name: str, table: dict[str, Any]) -> Tag:
    """Read one tag."""
    where = f"tag.{name}"
    only(where, table, frozenset(FORMS) | {"rules", "signal"})
    given = [form for form in FORMS if form in table]
    if len(given) != 1:
        raise ProfileError(f"{where}: needs exactly one of {', '.join(FORMS)}; has {', '.join(given) or 'none'}")
    signal, (low, shift) = signal_of(table, where), FORMS[given[0]]
    return Tag(
        name=name,
        rules=tuple(str(rule) for rule in get(table, where, "rules", list)),
        signal=signal,
        low=low,
        limit=level(table, where, given[0], signal) + shift,
    )


def tags_of(profile: Profile, rule: str, worst: int) -> Sequence[str]:
    """Name the tags of a rule's raise whose worst scaled value is this; for its evidence, as `tags`."""
    return [
        each.name
        for each in profile.tags
        if rule in each.rules and (worst < each.limit if each.low else worst > each.limit)
    ]
