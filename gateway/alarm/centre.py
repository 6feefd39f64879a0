"""Whether the centre is there: what it has stored of late, and whether there is a broker (ARCHITECTURE section 9).

The centre counts as out of reach once, for a patience of 3 min, readings waited without one *stored*, or there was no
broker. Where nobody can tell, because the disk does not answer, the patience runs from what was last known. It is back
at the first *stored*; where nothing waits, a broker is enough. Times are clinical milliseconds that
only ever go forward (`Timekeeper.elapsed_ms`): a clock that jumps can neither hide an outage nor make one.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is seen at one instant: is there a broker, how many rows were ever stored, how many wait."""

    connected: bool
    stored: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """What was seen so far; None for never, or for not now."""

    patience_ms: int
    stored: int | None = None
    stored_at_ms: int | None = None
    no_broker_since_ms: int | None = None
    unheard_since_ms: int | None = None
    unreachable_since_ms: int | None = None
    reachable_again_ms: int | None = None
    has_answered: bool = False

    @property
    def said_reachable(self) -> bool | None:
        """What is known of it, None before its first word: that nothing speaks against it is not knowledge."""
        if not self.is_reachable:
            return False
        return True if self.has_answered else None

    @property
    def is_reachable(self) -> bool:
        """Whether people there may be told."""
        return self.unreachable_since_ms is None

    def is_alone(self, now_ms: int, *, handover_ms: int) -> bool:
        """Whether this home must help itself: no centre, or one that is back for too short a time to have acted."""
        if not self.is_reachable:
            return True
        return self.reachable_again_ms is not None and now_ms - self.reachable_again_ms < handover_ms


def observed(centre: Centre, facts: Facts, now_ms: int) -> Centre:
    """Take in what is seen now."""
    heard = centre.stored is not None and facts.stored > centre.stored
    unheard_since_ms = _since(centre.unheard_since_ms if not heard else None, now_ms, holds=facts.waiting > 0)
    is_answering = heard or (facts.connected and not facts.waiting)
    no_broker_since_ms = _since(centre.no_broker_since_ms, now_ms, holds=not facts.connected)
    seen = replace(
        centre,
        stored=facts.stored,
        stored_at_ms=now_ms if heard else centre.stored_at_ms,
        unheard_since_ms=unheard_since_ms,
        no_broker_since_ms=no_broker_since_ms,
        has_answered=centre.has_answered or is_answering,
    )
    if not centre.is_reachable:
        return replace(seen, unreachable_since_ms=None, reachable_again_ms=now_ms) if is_answering else seen
    return seen if heard else _doubted(seen, now_ms)


def unobserved(centre: Centre, now_ms: int, *, since_ms: int) -> Centre:
    """Take in that nothing could be seen since then: a disk that does not answer gives the centre no reading either."""
    began_ms = since_ms if centre.unheard_since_ms is None else min(centre.unheard_since_ms, since_ms)
    seen = replace(centre, unheard_since_ms=began_ms)
    return _doubted(seen, now_ms) if centre.is_reachable else seen


def _doubted(seen: Centre, now_ms: int) -> Centre:
    """Give it up where what speaks against it has held for its patience."""
    doubts = [since_ms for since_ms in (seen.unheard_since_ms, seen.no_broker_since_ms) if since_ms is not None]
    if doubts and now_ms - min(doubts) >= seen.patience_ms:
        return replace(seen, unreachable_since_ms=min(doubts))
    return seen


def _since(before_ms: int | None, now_ms: int, *, holds: bool) -> int | None:
    if not holds:
        return None
    return now_ms if before_ms is None else before_ms
