"""Which rows of an outbox have been taken over: ranges of row numbers, half open, as in `outbox_account.taken`."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import StrEnum

Range = tuple[int, int]
"""First row and the one past the last."""

BOOT_GAP = 100_000
"""So many numbers a gateway leaves out at each boot (docs/outbox.md)."""


class Why(StrEnum):
    """Why the numbers of a hole may be missing, as far as can be told from where they are."""

    NEVER_GIVEN = "never_given"
    BOOT = "boot"
    THINNED = "thinned"
    UNKNOWN = "unknown"


def why_missing(hole: Range, *, thinned: Sequence[Range], is_told: bool) -> Why:
    """Say what explains a hole in an outbox; `is_told`: a gateway's, whose numbers begin at 1 and leap at a boot."""
    if is_told and hole == (0, 1):
        return Why.NEVER_GIVEN
    if any(first < hole[1] and hole[0] < end for first, end in thinned):
        return Why.THINNED
    return Why.BOOT if is_told and hole[1] - hole[0] >= BOOT_GAP else Why.UNKNOWN


def outside(part: Range, ranges: Sequence[Range]) -> list[Range]:
    """Give what of one range lies in none of the others (ascending, not overlapping)."""
    at, end = part
    if not ranges or at >= ranges[-1][1]:
        return [part]
    left: list[Range] = []
    for first, after in ranges[max(0, bisect_right(ranges, (at, at)) - 1) :]:
        if first >= end:
            break
        if at < first:
            left.append((at, first))
        at = max(at, after)
    if at < end:
        left.append((at, end))
    return left


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that touch or overlap, ascending."""
    joined: list[Range] = []
    for first, end in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return joined


def of_numbers(numbers: Iterable[int]) -> list[Range]:
    """Gather row numbers to ranges."""
    return merged((number, number + 1) for number in numbers)


def holds(ranges: Sequence[Range], number: int) -> bool:
    """Say whether a row lies in the ranges (ascending, not overlapping)."""
    return outside((number, number + 1), ranges) == []


def missing(taken: Sequence[Range], *, is_told: bool) -> list[Range]:
    """Give the holes before the last row taken; they begin at row 0 only where a gateway tells of its outbox.

    Who else numbers rows (a phone) may begin anywhere; `outbox_standing.unexplained` counts the same.
    """
    edges = [edge for pair in taken for edge in pair]
    edges = [0, *edges] if is_told else edges[1:]
    return [(first, end) for first, end in zip(edges[:-1:2], edges[1::2], strict=True) if first < end]


def count(ranges: Iterable[Range]) -> int:
    """Count the rows in ranges that do not overlap."""
    return sum(end - first for first, end in ranges)


def literal(ranges: Iterable[Range]) -> str:
    """Write ranges as an int8multirange literal."""
    return "{" + ",".join(f"[{first},{end})" for first, end in ranges) + "}"


def parsed(literal: str) -> list[Range]:
    """Read an int8multirange literal as PostgreSQL writes it."""
    parts = literal[2:-2].split("),[") if len(literal) > 2 else ()
    return [(int(first), int(end)) for first, _, end in (part.partition(",") for part in parts)]
