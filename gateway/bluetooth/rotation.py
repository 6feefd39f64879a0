"""Who gets a link: few links an adapter, more devices than links, and everybody's turn comes.

An adapter carries a bounded number of links. A device that is heard and wants a link gets one on the adapter that hears
it best among those with a free one. Where none is free, a link whose turn is over is taken away for it: one that has
nothing more to say at once; a streaming one after its share, which is short when the one that waits is a spot device,
as that one is awake for seconds only and soon done.

Order: who waits longest goes first; a spot device counts as waiting `SPOT_LEAD_S` longer than it does. So every one
that waits comes to be the first some day, whoever else wakes up: nobody starves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SPOT_LEAD_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanting:
    """A device that waits for a link; `heard` gives the signal strength on each adapter that hears it now."""

    address: str
    streams: bool
    since_s: float
    heard: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A device that has a link.

    `since_s`: since when it speaks, None while the link is being made (that is bounded elsewhere). `idle`: it has
    nothing more to say. `leaving`: it was asked to go.
    """

    address: str
    adapter: str
    streams: bool
    since_s: float | None
    idle: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How long a streaming device keeps its link, at least, while another streaming or a spot device waits for it."""

    stream_s: float
    spot_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who gets a link now (address and adapter), and who is asked to give his back."""

    grants: tuple[tuple[str, str], ...]
    preempt: tuple[str, ...]


def decide(
    wanting: Iterable[Wanting],
    holding: Iterable[Holding],
    *,
    links_max: Mapping[str, int],
    shares: Shares,
    now_s: float,
) -> Decision:
    """Give the free links away, in order, and ask for as many back as are waited for and may be asked for."""
    held = list(holding)
    free = {adapter: most - sum(h.adapter == adapter for h in held) for adapter, most in links_max.items()}
    leaving = [h for h in held if h.leaving]
    askable = [h for h in held if not h.leaving]
    grants: list[tuple[str, str]] = []
    preempt: list[str] = []
    for one in sorted(wanting, key=_order):
        reach = sorted((a for a in one.heard if a in free), key=lambda a: (-one.heard[a], a))
        adapter = next((a for a in reach if free[a] > 0), None)
        if adapter is not None:
            free[adapter] -= 1
            grants.append((one.address, adapter))
            continue
        coming = next((h for h in leaving if h.adapter in reach), None)
        if coming is not None:
            leaving.remove(coming)
            continue
        victim = _victim([h for h in askable if h.adapter in reach], one, shares=shares, now_s=now_s)
        if victim is not None:
            askable.remove(victim)
            preempt.append(victim.address)
    return Decision(grants=tuple(grants), preempt=tuple(preempt))


def _order(one: Wanting) -> tuple[float, str]:
    return one.since_s - (0.0 if one.streams else SPOT_LEAD_S), one.address


def _victim(held: list[Holding], one: Wanting, *, shares: Shares, now_s: float) -> Holding | None:
    """Choose whose turn is over: an idle one first, then the one that has had its link for longest."""
    share_s = shares.stream_s if one.streams else shares.spot_s
    over = [
        (not h.idle, h.since_s, h.address, h)
        for h in held
        if h.since_s is not None and (h.idle or (h.streams and now_s - h.since_s >= share_s))
    ]
    return min(over)[3] if over else None
