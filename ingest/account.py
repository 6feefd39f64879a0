"""Which rows of an outbox have been taken over: ranges of row numbers, half open, as in `outbox_account.taken`."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""First row and the one past the last."""


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


def missing(taken: Sequence[Range]) -> list[Range]:
    """Give the holes between row 0 and the last row taken: sent later, lost, or thinned by the gateway."""
    edges = [0, *(edge for pair in taken for edge in pair)]
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
