"""Duties that nobody will hold: one alarm for each roster with a hole, and one for all that never had a roster.

A hole of the township's roster is the township's, however many villages it leaves without anybody. Where nobody was
ever on a duty, the county is told once of all such places.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alerting.profile.technical import RULES, Family
from alerting.technical.finding import Finding, Standing, of_roster
from care.shifts import Hole

NAMED_MOST = 50
"""Organisations that an alarm names; `places` counts them all."""


def judge(holes: Iterable[Hole], *, top: int | None) -> Iterator[Finding]:
    """Judge the holes ahead, in order of time; `top` is told of those that are on nobody's roster."""
    found: dict[tuple[int, str], list[Hole]] = {}
    never: list[Hole] = []
    for hole in holes:
        if hole.roster_of is None:
            never.append(hole)
        else:
            found.setdefault((hole.roster_of, hole.duty_role), []).append(hole)
    for (organisation_id, duty_role), its in found.items():
        yield Finding(
            subject=of_roster(organisation_id, duty_role),
            family=Family.ROSTER,
            standing=Standing.FAULT,
            rule=RULES[Family.ROSTER],
            evidence={"why": "roster_hole", "duty": duty_role, **_told(its)},
        )
    if never and top is not None:
        yield Finding(
            subject=of_roster(top),
            family=Family.ROSTER,
            standing=Standing.FAULT,
            rule=RULES[Family.ROSTER],
            evidence={"why": "never_rostered", **_told(never)},
        )


def _told(holes: Sequence[Hole]) -> dict[str, Any]:
    first = min(holes, key=lambda hole: hole.since)
    lacking = sorted({f"{hole.organisation} {hole.duty_role}" for hole in holes})
    return {"begins_at": first.since.isoformat(), "lacking": lacking[:NAMED_MOST], "places": len(lacking)}
