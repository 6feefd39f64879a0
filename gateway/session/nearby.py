"""Health devices in reach that nobody has claimed: what a person is offered to claim, newest first."""

from dataclasses import dataclass

from gateway.drivers.driver import Kind

KEPT_MAX = 32
KEPT_S = 600.0
NEWS_S = 60.0
"""A device that was quiet for so long has just been switched on, or has just come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One unclaimed device as it was last heard; `streams`: worn all the time. `heard_s` is machine time."""

    address: str
    name: str
    driver: str
    product: str
    kind: Kind
    streams: bool
    wellness: bool
    rssi: int
    heard_s: float


class Nearby:
    """The newest KEPT_MAX of them, none older than KEPT_S, in plain values."""

    def __init__(self) -> None:
        self._known: dict[str, Neighbour] = {}

    def heard(self, neighbour: Neighbour) -> bool:
        """Note one that was heard just now, and say whether that is news.

        At the bound the one unheard for longest is forgotten.
        """
        before = self._known.pop(neighbour.address, None)
        self._known[neighbour.address] = neighbour
        if len(self._known) > KEPT_MAX:
            del self._known[next(iter(self._known))]
        return before is None or neighbour.heard_s - before.heard_s > NEWS_S

    def forget(self, address: str) -> None:
        """Leave one out, as it is claimed now."""
        self._known.pop(address, None)

    def listed(self, *, now_s: float) -> tuple[Neighbour, ...]:
        """Give those heard within KEPT_S, newest first."""
        return tuple(n for n in reversed(self._known.values()) if now_s - n.heard_s <= KEPT_S)
