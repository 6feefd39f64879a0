"""Which closed days' index of `sample` is loose enough to be rebuilt, judged by its bytes a row.

As it is written, the index ends up 60 to 70 % full: rows come by time and it is ordered by patient, so its pages split
in the middle. A rebuild fills them to 90 %.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

CLOSED_AFTER = timedelta(hours=24)
"""A day is left alone for so long after its end: homes that were offline over night have sent by then."""
PACKED_BYTES_PER_ROW = 40.5
"""What a rebuild comes to: an entry has 36 bytes, a page is filled to nine tenths."""
LOOSE_BYTES_PER_ROW = 48.0
"""From here on a rebuild saves a sixth and more; below, late rows loosen nothing that is worth one."""
INDEX_BYTES_MIN = 8 * 2**20
"""In smaller ones pages of 8 kB begin to count, and a year of them wastes no more than one large day."""
GROWN = 1.2
"""What a rebuild did not help is tried again when it has grown by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A day of `sample` with its index. `rows` None: never counted, or so long ago that it says nothing."""

    name: str
    index: str
    ends_at: datetime
    index_bytes: int
    rows: int | None

    @property
    def bytes_per_row(self) -> float:
        """Say what a row costs in the index; of no rows known: 0."""
        return self.index_bytes / self.rows if self.rows else 0.0

    @property
    def wasted_bytes(self) -> float:
        """Say how much a rebuild would free."""
        return self.index_bytes - PACKED_BYTES_PER_ROW * (self.rows or 0)

    @property
    def is_loose(self) -> bool:
        """Say whether a rebuild is worth it."""
        return self.bytes_per_row > LOOSE_BYTES_PER_ROW


def closed(pieces: Collection[Piece], now: datetime, *, kept: timedelta) -> list[Piece]:
    """Choose the days that are worth a look: ended long enough ago, not small, and not to be dropped next."""
    return [
        piece
        for piece in pieces
        if now - kept < piece.ends_at <= now - CLOSED_AFTER and piece.index_bytes >= INDEX_BYTES_MIN
    ]


def uncounted(pieces: Collection[Piece]) -> list[Piece]:
    """Choose those of which it must first be found out how many rows they have."""
    return [piece for piece in pieces if piece.rows is None]


def loose(pieces: Collection[Piece], in_vain: Mapping[str, int]) -> list[Piece]:
    """Choose those to rebuild, the most wasteful first; `in_vain`: how large an index was that a rebuild left loose."""
    worth = [piece for piece in pieces if piece.is_loose and piece.index_bytes >= GROWN * in_vain.get(piece.index, 0)]
    return sorted(worth, key=lambda piece: piece.wasted_bytes, reverse=True)
