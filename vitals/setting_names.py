"""Finds a misspelt setting in the environment: running on a default that nobody chose is worse than not running."""

import difflib
from collections.abc import Iterable, Mapping

PREFIX = "HEARTHWATCH_"


class UnknownSetting(ValueError):
    """The environment names a setting that its service does not know: most likely misspelt."""


def refuse_unknown(environment: Mapping[str, str], fields: Iterable[str], *, section: str, service: str) -> None:
    """Check every HEARTHWATCH_<SECTION>_... against a service's fields. Raises UnknownSetting, with what was meant."""
    known = {f"{PREFIX}{name.upper()}" for name in fields}
    for name in sorted(environment):
        if name.upper().startswith(f"{PREFIX}{section}_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownSetting(f"{name} is no setting of {service}{hint}")
