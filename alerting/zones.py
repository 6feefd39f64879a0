"""Where a patient lives, as a time zone: one that the machine does not know is UTC, and stops nobody's judging."""

from functools import cache
from zoneinfo import ZoneInfo

FALLBACK = "UTC"


@cache
def zone_of(name: str) -> ZoneInfo:
    """Give the zone of this name; UTC where there is none."""
    return _known(name) or ZoneInfo(FALLBACK)


def is_zone(name: str) -> bool:
    """Say whether this machine knows a zone of this name."""
    return _known(name) is not None


@cache
def _known(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, no name, or the name of a folder
        return None
