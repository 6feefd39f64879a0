"""Packs outbox rows into one message: a contiguous run of one boot and one trust of the clock, within the format.

Plain loops over plain tuples: a week's backlog passes through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.clocks.boots import Boots
from gateway.clocks.placing import Stamp
from gateway.clocks.watch import JUMP_MS_MIN
from gateway.outbox.rows import Excerpt, Row, RowRange, Source
from vitals.reading import NO_VALUE, Acquisition
from vitals.wire import DEVICES_MAX, DeviceEntry, Header, pack_block, pack_row

OFFSET_MAX = 0xFFFF
NO_BOOTS = Boots()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a message is made, how fast clinical time runs (1 but in a drill), and what is known of earlier boots."""

    stamp: Stamp
    speed: float = 1.0
    boots: Boots = NO_BOOTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A message ready to send and the rows it holds."""

    payload: bytes
    rows: RowRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """How rows of one source get their time, and whether a synchronised clock vouches for it.

    `zero_ms`: the wall time at which the boot's monotonic clock stood at 0; None: rows go as stamped. A stamp that is
    no further than `jump_ms` from what `zero_ms` says stands.
    """

    is_vouched: bool
    zero_ms: int | None = None
    jump_ms: float = 0


def pack_front(excerpt: Excerpt, now: Moment, *, backlog: bool, rows_max: int) -> Packed:
    """Pack as many rows from the front as one message may hold (at least one)."""
    if not excerpt.rows:
        raise ValueError("no rows to pack")
    sources = excerpt.sources
    datings = {key: _dating(sources[key], now) for key in {row[1] for row in excerpt.rows}}
    alike = _alike(excerpt.rows[:rows_max], sources, datings)
    times = [_time_ms(datings[row[1]], row[2], row[3], now.speed) for row in alike]
    count, unit_ms = _front(times)
    rows, times = alike[:count], times[:count]
    used = list(dict.fromkeys(row[1] for row in rows))
    index_of = {entry: index for index, entry in enumerate(dict.fromkeys(_entry(sources[key]) for key in used))}
    index = {key: index_of[_entry(sources[key])] for key in used}
    t0_ms = min(times)
    header = Header(
        outbox_id=excerpt.outbox_id,
        first_row=rows[0][0],
        boot_id=sources[rows[0][1]].boot_id,
        t0_ms=t0_ms,
        sent_ms=now.stamp.wall_ms,
        synchronised=datings[rows[0][1]].is_vouched,
        backlog=backlog,
        offset_unit_ms=unit_ms,
        devices=tuple(index_of),
    )
    block = [
        pack_row(
            (time_ms - t0_ms) // unit_ms, index[key], signal, NO_VALUE if value is None else value, quality, reason
        )
        for time_ms, (_, key, _, _, signal, value, quality, reason, _) in zip(times, rows, strict=True)
    ]
    return Packed(payload=pack_block(header, b"".join(block)), rows=RowRange(rows[0][0], rows[-1][0] + 1))


def _dating(source: Source, now: Moment) -> Dating:
    """Decide how a source's rows are dated (docs/time.md).

    A record from a device's memory keeps the device's own time. A live row's is what its boot's monotonic clock and the
    newest synchronised look at the wall clock say; its stamp stands where that clock has not jumped since. Without
    such a look in its boot the row is dated by its age, the least it can be, and the header says so.
    """
    if source.acquisition == Acquisition.STORED:
        return Dating(is_vouched=source.synchronised)
    believed_ms = _believed_zero_ms(source.boot_id, now)
    if believed_ms is not None:
        jump_ms = JUMP_MS_MIN * now.speed if source.synchronised else 0
        return Dating(is_vouched=True, zero_ms=believed_ms, jump_ms=jump_ms)
    if source.synchronised:
        return Dating(is_vouched=True)
    return Dating(is_vouched=False, zero_ms=_latest_zero_ms(source.boot_id, now))


def _time_ms(dating: Dating, wall_ms: int, mono_ms: int, speed: float) -> int:
    if dating.zero_ms is None:
        return wall_ms
    time_ms = dating.zero_ms + round(mono_ms * speed)
    return wall_ms if abs(time_ms - wall_ms) <= dating.jump_ms else time_ms


def _believed_zero_ms(boot_id: int, now: Moment) -> int | None:
    """Say when a boot began, by a synchronised look at the wall clock in it; None where there was none."""
    if boot_id != now.stamp.boot_id:
        return now.boots.dated_ms(boot_id, 0, speed=now.speed)
    return _present_zero_ms(now) if now.stamp.synchronised else None


def _latest_zero_ms(boot_id: int, now: Moment) -> int | None:
    """Say when a boot can have begun at the latest, None for a boot that is not known."""
    if boot_id == now.stamp.boot_id:
        return _present_zero_ms(now)
    age_ms = now.boots.age_ms_min(boot_id, 0, now_mono_ms=now.stamp.mono_ms, speed=now.speed)
    return None if age_ms is None else now.stamp.wall_ms - age_ms


def _present_zero_ms(now: Moment) -> int:
    return now.stamp.wall_ms - round(now.stamp.mono_ms * now.speed)


def _alike(rows: Sequence[Row], sources: Mapping[int, Source], datings: Mapping[int, Dating]) -> Sequence[Row]:
    """Take the rows that follow one another without a gap, of one boot and one trust, of 255 devices at most."""
    first_no, first_key = rows[0][:2]
    first = (sources[first_key].boot_id, datings[first_key].is_vouched)
    seen: set[int] = set()
    entries: set[DeviceEntry] = set()
    for count, row in enumerate(rows):
        if row[0] != first_no + count:
            return rows[:count]
        if row[1] not in seen:
            seen.add(row[1])
            entries.add(_entry(sources[row[1]]))
            if (sources[row[1]].boot_id, datings[row[1]].is_vouched) != first or len(entries) > DEVICES_MAX:
                return rows[:count]
    return rows


def _front(times: Sequence[int]) -> tuple[int, int]:
    """Count the times that one message can hold from the front, and give its offset unit in ms.

    Seconds only where nothing is lost by them (every time a whole second apart, as in a device's memory):
    two live samples of one second must not fall on one instant.
    """
    if max(times) - min(times) <= OFFSET_MAX:
        return len(times), 1
    in_ms, in_seconds = _run(times, unit_ms=1), _run(times, unit_ms=1000)
    return (in_seconds, 1000) if in_seconds > in_ms else (in_ms, 1)


def _run(times: Sequence[int], *, unit_ms: int) -> int:
    low = high = times[0]
    for count, time_ms in enumerate(times):
        low, high = min(low, time_ms), max(high, time_ms)
        if (time_ms - times[0]) % unit_ms or high - low > OFFSET_MAX * unit_ms:
            return count
    return len(times)


def _entry(source: Source) -> DeviceEntry:
    return DeviceEntry(device=source.device, acquisition=source.acquisition)
