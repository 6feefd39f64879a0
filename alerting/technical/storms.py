"""Finds the one cause behind many technical faults: of one kind, begun at about the same time, in one place.

A place is an organisation with all below it, for a model of devices the whole centre. Faults that began within the
profile's time of each other are a run; a run *strikes* a place when it is long enough, and a large enough share of all
there that could have the fault. The cause stands at the lowest place that is struck; where two or more below one place
are struck at about the same time, or the rest of a place is struck beside what is struck below it, the higher place
has all of it. A cause that is open keeps what it holds until that is well, and takes what began about when it did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerting.profile.technical import Family, StormLimits

NO_DATA = "no_data"
"""The family of a device's silence (alerting/technical/no_data.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From how many on, which share of all in per cent, begun within how long of each other."""

    members_min: int
    share_percent: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A fault that may be one of many: whose (`subject`), and the organisations it is below, the nearest first.

    `due`: its own alarm's time has come; else it is late, and counts where another is due.
    """

    subject: str
    places: tuple[int, ...]
    since: datetime
    medium: bool
    due: bool = True
    patient_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A cause whose alarm is open: where, what it holds, and between which instants that began."""

    episode_id: int
    place: int
    members: frozenset[str]
    begun: datetime
    newest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause as it stands now. `anew`: it struck again while its alarm was open. `absorbs`: open causes below it."""

    place: int
    members: tuple[Member, ...]
    begun: datetime
    newest: datetime
    anew: bool = False
    absorbs: tuple[int, ...] = ()
    of: int | None = None

    @property
    def medium(self) -> bool:
        """Whether anything that it holds is medium by itself."""
        return any(member.medium and member.due for member in self.members)


def threshold_of(family: str, limits: StormLimits) -> Threshold:
    """Give from when on faults of a family have one cause."""
    usual = Threshold(
        members_min=limits.members_min,
        share_percent=limits.share_percent,
        within=timedelta(seconds=limits.within_s),
    )
    return {
        Family.SPOT_OVERDUE.value: Threshold(
            members_min=limits.overdue_members_min,
            share_percent=limits.overdue_share_percent,
            within=timedelta(seconds=limits.within_s),
        ),
        NO_DATA: Threshold(
            members_min=limits.members_min,
            share_percent=limits.share_percent,
            within=timedelta(seconds=limits.model_within_s),
        ),
    }.get(family, usual)


def causes(
    members: Iterable[Member], opened: Iterable[Storm], populations: Mapping[int, int], threshold: Threshold
) -> list[Cause]:
    """Find the causes of one kind's faults; `populations`: how many at each place could have it.

    An open cause that holds nothing any more is in no cause: it is over.
    """
    every = sorted(members, key=lambda member: (member.since, member.subject))
    found = {storm.place: cause for storm in opened if (cause := _kept(storm, every, threshold)) is not None}
    taken = {member.subject for cause in found.values() for member in cause.members}
    at_place: dict[int, list[Member]] = {}
    above: dict[int, tuple[int, ...]] = {}
    for member in every:
        for at, place in enumerate(member.places):
            at_place.setdefault(place, []).append(member)
            above[place] = member.places[at + 1 :]
    for place in sorted(at_place, key=lambda each: (-len(above[each]), each)):
        free = [member for member in at_place[place] if member.subject not in taken]
        below = [cause for at, cause in found.items() if place in above.get(at, ())]
        struck = _struck(place, free, below, populations.get(place, 0), threshold)
        if struck is not None:
            held = {member.subject for member in struck.members}
            found = {at: cause for at, cause in found.items() if cause.members[0].subject not in held}
            found[place] = _with_own(struck, found.get(place))
            taken |= held
    return [found[place] for place in sorted(found)]


def _kept(storm: Storm, every: Sequence[Member], threshold: Threshold) -> Cause | None:
    """Give what an open cause still holds, with what began about when it did; None where that is nothing."""
    begun, newest, kept = storm.begun, storm.newest, []
    for member in every:
        linked = begun - threshold.within <= member.since <= newest + threshold.within
        if member.subject in storm.members or (linked and storm.place in member.places):
            kept.append(member)
            newest = max(newest, member.since) if linked else newest
    if not kept:
        return None
    return Cause(place=storm.place, members=tuple(kept), begun=begun, newest=newest, of=storm.episode_id)


def _struck(
    place: int, free: Sequence[Member], below: Sequence[Cause], population: int, threshold: Threshold
) -> Cause | None:
    """Give the largest run of free faults and causes below that strikes a place; None where none does."""
    single = [Cause(place=place, members=(m,), begun=m.since, newest=m.since) for m in free]
    strikes: list[Cause] = []
    for run in _runs([*single, *below], threshold.within):
        alone = [cause for cause in run if cause.place == place]
        taken = [cause for cause in run if cause.place != place]
        whole = tuple(member for cause in run for member in cause.members)
        by_itself = _is_enough([member for cause in alone for member in cause.members], population, threshold)
        if by_itself or (len(taken) > 1 and _is_enough(whole, population, threshold)):
            absorbs = tuple(each for cause in taken for each in _opened_in(cause))
            begun, newest = min(cause.begun for cause in run), max(cause.newest for cause in run)
            strikes.append(Cause(place=place, members=whole, begun=begun, newest=newest, absorbs=absorbs))
    return max(strikes, key=lambda cause: len(cause.members), default=None)


def _opened_in(cause: Cause) -> tuple[int, ...]:
    return cause.absorbs if cause.of is None else (*cause.absorbs, cause.of)


def _is_enough(members: Sequence[Member], population: int, threshold: Threshold) -> bool:
    count = len(members)
    return (
        count >= threshold.members_min
        and 100 * count >= threshold.share_percent * population
        and any(member.due for member in members)
    )


def _with_own(struck: Cause, own: Cause | None) -> Cause:
    """Join a run that struck with the open cause of the same place: that alarms anew."""
    if own is None:
        return struck
    return Cause(
        place=own.place,
        members=(*own.members, *struck.members),
        begun=min(own.begun, struck.begun),
        newest=max(own.newest, struck.newest),
        anew=True,
        absorbs=struck.absorbs,
        of=own.of,
    )


def _runs(causes_: Sequence[Cause], within: timedelta) -> list[list[Cause]]:
    """Split by time: where nothing began for longer than `within`, another run begins."""
    runs: list[list[Cause]] = []
    newest: datetime | None = None
    for cause in sorted(causes_, key=lambda each: each.begun):
        if newest is None or cause.begun - newest > within:
            runs.append([])
            newest = None
        runs[-1].append(cause)
        newest = cause.newest if newest is None else max(newest, cause.newest)
    return runs
