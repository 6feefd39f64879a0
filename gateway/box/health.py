"""Whether a gateway does its work, judged by what has moved since the last look (core).

A process that runs and accepts nothing is the worst of states: it looks alive. So health is not a timer: the outbox's
thread must answer, and what waits to be accepted must get less, unless the disk is known to be full.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How the intake stands: notifications not yet accepted, groups accepted so far, and the disk."""

    waiting: int
    groups: int
    is_disk_full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen at one instant; `answered`: the outbox's thread did, within the time it was given."""

    answered: bool
    progress: Progress


def what_is_wrong(before: Look, now: Look) -> str | None:
    """Name what stands still since the look before, or None."""
    if not now.answered:
        return "the outbox does not answer"
    if min(before.progress.waiting, now.progress.waiting) == 0 or now.progress.is_disk_full:
        return None
    if now.progress.groups == before.progress.groups:
        return f"{now.progress.waiting} notifications wait and none is accepted"
    return None
