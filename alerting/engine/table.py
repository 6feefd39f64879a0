"""One signal's state for the patients of one partition: arrays with a row a patient, and the limits each is held to."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import BUSY, HOT_BAND, TIME_SHIFT, Plan
from vitals.sustained import NEVER_MS, Limit, Phase, SustainedRule

LAYOUT = "sustained-4"
"""Names how the arrays lie and what they mean; a snapshot of another layout is not read."""

_NEVER_HEARD = NEVER_MS << TIME_SHIFT


class Table:
    """The arrays. Shapes: word, band, mark (rows,); ring (rows, ring_bytes); tail (rows, tail_bytes)."""

    ARRAYS = ("word", "band", "ring", "tail")

    def __init__(self, rules: Sequence[SustainedRule], rows: int = 0) -> None:
        self.plan = Plan(rules)
        self._sets: dict[tuple[Limit, ...], int] = {}
        self.limits = np.empty((0, len(rules), 2), np.int16)
        self.bands = np.empty(0, np.int32)
        self.set_of(tuple(rule.limit for rule in rules))
        self._allocate(rows)

    def __len__(self) -> int:
        return len(self.word)

    @property
    def bytes_per_patient(self) -> float:
        """Bytes a row takes, and its share of the limit sets."""
        arrays = [self.mark, *(getattr(self, name) for name in self.ARRAYS)]
        return float(sum(array.nbytes for array in arrays) + self.limits.nbytes + self.bands.nbytes) / max(len(self), 1)

    def _allocate(self, rows: int) -> None:
        self.word = np.full(rows, _NEVER_HEARD, np.int64)
        self.mark = np.zeros(rows, np.uint16)  # scratch: which sample of a chunk is a row's last
        self.band = np.full(rows, self.bands[0], np.int32)
        self.ring = np.zeros((rows, self.plan.ring_bytes), np.uint8)
        self.tail = np.zeros((rows, self.plan.tail_bytes), np.uint8)

    @property
    def limit_set(self) -> npt.NDArray[np.int32]:
        """Which set of limits each row is held to, shape (rows,): a view of `ring`'s last four bytes."""
        return self.ring.view(np.int32)[:, -1]

    def grow(self, rows: int) -> None:
        """Make room for at least this many rows."""
        held = len(self)
        if rows <= held:
            return
        old = {name: getattr(self, name) for name in self.ARRAYS}
        self._allocate(max(rows, 2 * held, 64))
        for name, array in old.items():
            getattr(self, name)[:held] = array

    def set_of(self, limits: tuple[Limit, ...]) -> int:
        """Give the number of a set of limits, one a rule; sets that were seen before keep theirs."""
        known = self._sets.get(limits)
        if known is not None:
            return known
        number = self._sets[limits] = len(self._sets)
        self.limits = np.concatenate(
            [self.limits, np.array([[(x.breach, x.clear_at) for x in limits]], np.int16).reshape(1, -1, 2)]
        )
        low = max((x.breach for x, r in zip(limits, self.plan.rules, strict=True) if r.low), default=-32768)
        high = min((x.breach for x, r in zip(limits, self.plan.rules, strict=True) if not r.low), default=32767)
        self.bands = np.append(self.bands, _band(low, high)).astype(np.int32)
        return number

    def set_limits(self, row: int, limits: tuple[Limit, ...]) -> None:
        """Hold a patient to these limits from his next sample on; what was counted stays as it was counted."""
        self.grow(row + 1)
        self.limit_set[row] = self.set_of(limits)
        self.band[row] = HOT_BAND

    def limits_of(self, row: int) -> tuple[Limit, ...]:
        """Give the limits a patient is held to."""
        held = self.limits[self.limit_set[row]].tolist()
        return tuple(Limit(breach=breach, clear_at=clear_at) for breach, clear_at in held)

    def set_phases(self, standing: Mapping[tuple[int, int], Phase]) -> set[int]:
        """Let the rules stand so, by (row, rule's place), and all others of the table be idle.

        Gives the rows where a rule was active and now is not: its breaches are counted no more, so whether it should
        be has to be judged from stored samples.
        """
        dropped = set()
        begin, count = self.plan.phase_offset, len(self.plan.rules)
        held = self.tail[:, begin : begin + count]
        differing = {(row, rule) for row, rule in np.argwhere(held).tolist()} | standing.keys()
        for row, rule in differing:
            phase = standing.get((row, rule), Phase.IDLE)
            if held[row, rule] == phase:
                continue
            if held[row, rule] == Phase.ACTIVE:
                dropped.add(row)
            if phase is Phase.ACTIVE:
                ring = int(self.plan.below_offset[rule])
                self.tail[row, ring : ring + self.plan.rules[rule].grain.slots] = 0
            self.tail[row, self.plan.well_offset + rule] = 0
            held[row, rule] = phase
            self.word[row] |= BUSY
            self.band[row] = HOT_BAND
        return dropped

    def standing(self) -> dict[tuple[int, int], Phase]:
        """Give where rules are not idle, by (row, rule's place)."""
        begin = self.plan.phase_offset
        held = self.tail[:, begin : begin + len(self.plan.rules)]
        return {(row, place): Phase(held[row, place]) for row, place in np.argwhere(held).tolist()}

    def phases(self, row: int) -> list[Phase]:
        """Say where each rule stands for one patient."""
        begin = self.plan.phase_offset
        return [Phase(phase) for phase in self.tail[row, begin : begin + len(self.plan.rules)].tolist()]

    def copy_row(self, source: "Table", from_row: int, to_row: int) -> None:
        """Take over a patient's state from a table of the same rules; the limits he is held to stay."""
        self.grow(to_row + 1)
        held_to = self.limit_set[to_row]
        for name in ("word", "ring", "tail"):
            getattr(self, name)[to_row] = getattr(source, name)[from_row]
        self.limit_set[to_row] = held_to
        self.band[to_row] = HOT_BAND

    def dump(self) -> bytes:
        """Write the arrays (NumPy's npz, no pickle)."""
        buffer = io.BytesIO()
        np.savez(buffer, limits=self.limits, **{name: getattr(self, name) for name in self.ARRAYS})
        return buffer.getvalue()

    def load(self, payload: bytes) -> None:
        """Read what `dump` wrote under the same layout and rules."""
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            sets = arrays["limits"].tolist()
            for name in self.ARRAYS:
                setattr(self, name, arrays[name].copy())
        numbers = [self.set_of(tuple(Limit(breach=b, clear_at=c) for b, c in limits)) for limits in sets]
        self.limit_set[:] = np.array(numbers, np.int32)[self.limit_set]
        self.mark = np.zeros(len(self), np.uint16)


def _band(low: int, high: int) -> int:
    """Pack a band, `low` to `high` inclusive, into an int32."""
    return int(np.array([low, high], np.int16).view(np.int32)[0])
