"""Kits: boxes with devices, and perhaps a gateway, that are lent to homes; and devices that residents share (core)."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SESSION = timedelta(minutes=10)
"""So long a shared device is whose it was said to be (hazard 5); the database holds it, too."""


class KitState(StrEnum):
    """How a kit came back."""

    COMPLETE = "complete"
    MISSING = "missing"
    TO_CLEAN = "to_clean"


class KitRefused(ValueError):
    """A kit can not be lent or taken back, or a device not be chosen; the message names the value and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """A box: the keys of its gateway, if any, and of its devices."""

    key: str
    organisation: str
    gateway: str | None
    devices: tuple[str, ...]


def check_return(state: KitState, missing: str) -> None:
    """Say whether a kit may be taken back so. Raises KitRefused."""
    if (state is KitState.MISSING) != bool(missing.strip()):
        wanted = "say what is missing" if state is KitState.MISSING else "leave out what is missing"
        raise KitRefused(f"{state} with {missing!r} missing: {wanted}")
