"""How long a patient was beyond the limits of sustained rules, in pieces of 10 s, and what of it nobody is paged for.

A piece is beyond a rule's limit when at least the rule's share of its good values is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from alerting.course.samples import Samples, channel_of
from alerting.engine.layout import Ints
from alerting.profile.patient import Held
from alerting.profile.profile import Profile, Trust
from alerting.rehearsal.paged import Page
from alerting.spot.arrivals import Devices
from vitals.sustained import BUCKET_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpaged:
    """How long a rule's limit was broken without a page of its family, in ms; and the longest such time, from when."""

    total_ms: int = 0
    longest_ms: int = 0
    longest_at_ms: int | None = None


class Beyond:
    """Gathers, span by span, the pieces in which the limits of one profile were broken."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._pieces: dict[str, list[Ints]] = {}
        self._streamed = 0

    @property
    def streamed_ms(self) -> int:
        """How much time had a streamed value of a medical device."""
        return self._streamed * BUCKET_MS

    def take(self, samples: Samples, held: Held, devices: Devices) -> None:
        """Take the samples of a span, in which the patient is held to this."""
        heard: list[Ints] = []
        for channel, rules in self._profile.sustained.items():
            if channel.trust is not Trust.GOOD:
                continue
            t_ms, values = channel_of(samples, channel, devices)
            piece, count = np.unique(t_ms // BUCKET_MS, return_counts=True)
            heard.append(piece)
            place = np.repeat(np.arange(len(piece)), count)
            for rule, limit in zip(rules, held.limits[channel], strict=True):
                broken = values < limit.breach if rule.low else values > limit.breach
                share = np.bincount(place[broken], minlength=len(piece)) * 100
                self._pieces.setdefault(rule.rule, []).append(piece[share >= rule.share_percent * count])
        self._streamed += len(np.unique(np.concatenate(heard))) if heard else 0

    def unpaged(self, pages: Iterable[Page], families: Mapping[str, str], *, from_ms: int) -> dict[str, Unpaged]:
        """Say for each rule what lies outside the spells of its family's pages, from an instant on."""
        spells: dict[str, list[Page]] = {}
        for page in pages:
            spells.setdefault(page.family, []).append(page)
        return {
            rule: _outside(np.unique(np.concatenate(pieces)), spells.get(families[rule], []), from_ms)
            for rule, pieces in self._pieces.items()
        }


def _outside(pieces: Ints, pages: Iterable[Page], from_ms: int) -> Unpaged:
    left = pieces[pieces * BUCKET_MS >= from_ms]
    for page in pages:
        begin = page.since_ms // BUCKET_MS
        end = 2**62 if page.until_ms is None else max(page.until_ms, page.at_ms) // BUCKET_MS
        left = left[(left < begin) | (left > end)]
    if not len(left):
        return Unpaged()
    breaks = np.flatnonzero(np.diff(left) > 1) + 1
    edges = np.concatenate([[0], breaks, [len(left)]])
    longest = int(np.argmax(np.diff(edges)))
    return Unpaged(
        total_ms=len(left) * BUCKET_MS,
        longest_ms=int(np.diff(edges)[longest]) * BUCKET_MS,
        longest_at_ms=int(left[edges[longest]]) * BUCKET_MS,
    )
