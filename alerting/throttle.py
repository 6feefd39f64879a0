"""How many notices a person gets in how long: what goes now, and what is gathered into one (core).

Only what may wait is ever counted or gathered: low and medium priority before tier 3. High and emergency, tier 3, what
is exhausted, decisions and steps of referrals go at once, whatever else has gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerting.episodes import Act, Audience
from alerting.profile.profile import Consequence, Priority

MAY_WAIT = frozenset({Audience.FAMILY_DOCTOR, Audience.TOWNSHIP_DUTY, Audience.OPERATIONS})
ALARMS = frozenset({"", Act.DEADLINE.value, Act.ALARM_ANEW.value})
"""Acts of a page that say that an alarm rings; the others say what somebody did."""

TIER3_STEP = 2

CROWDED = frozenset({*MAY_WAIT, Audience.COUNTY_EXPERT})
"""To whom very many urgent notices may be due at once; a hospital or a vehicle is asked by each for something else."""

TOGETHER_MOST, ALONE = 8, 3
"""Urgent notices to a person within a minute that all go by themselves; and how many of more do."""

CROWD_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many notices that may wait, to one person, in so long."""

    most: int = 6
    within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which notices go now, which are gathered, and when the one that gathers them may go (None: there is none)."""

    go: tuple[int, ...]
    gather: tuple[int, ...]
    gathered_at: datetime | None


def may_wait(consequence: Consequence, audience: Audience, *, step: int, act: str, is_referral: bool) -> bool:
    """Say whether a notice may be gathered with others."""
    return (
        consequence.priority is not Priority.HIGH
        and not consequence.emergency
        and step < TIER3_STEP
        and audience in MAY_WAIT
        and act in ALARMS
        and not is_referral
    )


def crowd(due: int, *, lately: int) -> int:
    """Say how many of one person's urgent notices that are due now go by themselves; one other speaks of the rest.

    `lately`: how many went by themselves within `CROWD_WITHIN`.
    """
    alone = due if due + lately <= TOGETHER_MOST else max(0, min(due, ALONE - lately))
    return due if due - alone == 1 else alone  # one that speaks of one says less


def decide(
    sent_at: Sequence[datetime], due: Sequence[int], *, limit: Limit, now: datetime, is_gathering: bool = False
) -> Decision:
    """Decide on one person's notices that are due, in order, given when others went out to him.

    `is_gathering`: one that gathers waits already, and what comes now is told by it: nothing overtakes.
    """
    lately = sorted(at for at in sent_at if at > now - limit.within)
    room = 0 if is_gathering else max(0, limit.most - len(lately))
    go, gather = tuple(due[:room]), tuple(due[room:])
    if not gather:
        return Decision(go=go, gather=(), gathered_at=None)
    counted = [*lately, *(now for _ in go)]
    frees = counted[len(counted) - limit.most] if len(counted) >= limit.most else now - limit.within
    return Decision(go=go, gather=gather, gathered_at=max(now, frees + limit.within))
