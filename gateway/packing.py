"""Packs outbox rows into one message: a contiguous run of one boot and one trust of the clock, within the format."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.boots import Boots
from gateway.clock_watch import JUMP_MS_MIN
from gateway.placing import Stamp
from gateway.rows import OutboxRow, RowRange
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS
from vitals.wire import DEVICES_MAX, DeviceEntry, Header, Row, pack

OFFSET_MAX = 0xFFFF
NO_BOOTS = Boots()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A row with the time it will be sent with, and whether a synchronised clock vouches for it."""

    row: OutboxRow
    measured_ms: int
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A message ready to send and the rows it holds."""

    payload: bytes
    rows: RowRange


def pack_front(
    rows: Sequence[OutboxRow],
    *,
    outbox_id: UUID,
    now: Stamp,
    speed: float,
    backlog: bool,
    rows_max: int,
    boots: Boots = NO_BOOTS,
) -> Packed:
    """Pack as many rows from the front as one message may hold (at least one); rows are in order of number."""
    if not rows:
        raise ValueError("no rows to pack")
    timed, unit_ms = _front([timed_row(row, now, speed=speed, boots=boots) for row in rows[:rows_max]])
    devices = list(dict.fromkeys((t.row.device, t.row.acquisition) for t in timed))
    index = {device: number for number, device in enumerate(devices)}
    t0_ms = min(t.measured_ms for t in timed)
    header = Header(
        outbox_id=outbox_id,
        first_row=timed[0].row.row_no,
        boot_id=timed[0].row.boot_id,
        t0_ms=t0_ms,
        sent_ms=milliseconds(now),
        synchronised=timed[0].synchronised,
        backlog=backlog,
        offset_unit_ms=unit_ms,
        devices=tuple(DeviceEntry(device=name, acquisition=int(acquisition)) for name, acquisition in devices),
    )
    wire_rows = [
        Row(
            offset=(t.measured_ms - t0_ms) // unit_ms,
            device_index=index[t.row.device, t.row.acquisition],
            signal_code=SIGNALS[t.row.signal].code,
            value=NO_VALUE if t.row.value is None else t.row.value,
            quality=int(t.row.quality),
            reason=int(t.row.reason),
        )
        for t in timed
    ]
    return Packed(payload=pack(header, wire_rows), rows=RowRange(timed[0].row.row_no, timed[-1].row.row_no + 1))


def timed_row(row: OutboxRow, now: Stamp, *, speed: float, boots: Boots = NO_BOOTS) -> Timed:
    """Decide the time a row is sent with (docs/time.md).

    A record from a device's memory keeps the device's own. A live row's is what its boot's monotonic clock and the
    newest synchronised look at the wall clock say; its stamp stands where that clock has not jumped since. Without
    such a look in its boot the row is dated by its age, the least it can be, and the header says so.
    """
    as_stamped = Timed(row=row, measured_ms=row.wall_ms, synchronised=row.synchronised)
    if row.acquisition is Acquisition.STORED:
        return as_stamped
    believed_ms = _believed_ms(row, now, speed, boots)
    if believed_ms is not None:
        has_jumped = not row.synchronised or abs(believed_ms - row.wall_ms) > JUMP_MS_MIN * speed
        return Timed(row=row, measured_ms=believed_ms if has_jumped else row.wall_ms, synchronised=True)
    age_ms = _age_ms(row, now, speed, boots)
    if row.synchronised or age_ms is None:
        return as_stamped
    return Timed(row=row, measured_ms=milliseconds(now) - age_ms, synchronised=False)


def milliseconds(stamp: Stamp) -> int:
    """Give a stamp's wall time as Unix milliseconds."""
    return round(stamp.wall.timestamp() * 1000)


def _believed_ms(row: OutboxRow, now: Stamp, speed: float, boots: Boots) -> int | None:
    if row.boot_id != now.boot_id:
        return boots.dated_ms(row.boot_id, row.mono_ms, speed=speed)
    return milliseconds(now) - round((now.mono_ms - row.mono_ms) * speed) if now.synchronised else None


def _age_ms(row: OutboxRow, now: Stamp, speed: float, boots: Boots) -> int | None:
    if row.boot_id != now.boot_id:
        return boots.age_ms_min(row.boot_id, row.mono_ms, now_mono_ms=now.mono_ms, speed=speed)
    return round((now.mono_ms - row.mono_ms) * speed)


def _front(timed: Sequence[Timed]) -> tuple[Sequence[Timed], int]:
    """Take the longest run that one message can hold, and its offset unit in ms.

    Seconds only where nothing is lost by them (every time a whole second apart, as in a device's memory):
    two live samples of one second must not fall on one instant.
    """
    in_ms = _run(timed, unit_ms=1)
    in_seconds = _run(timed, unit_ms=1000)
    return (timed[:in_seconds], 1000) if in_seconds > in_ms else (timed[:in_ms], 1)


def _run(timed: Sequence[Timed], *, unit_ms: int) -> int:
    first = timed[0]
    low = high = first.measured_ms
    devices = {(first.row.device, first.row.acquisition)}
    for count, t in enumerate(timed):
        low, high = min(low, t.measured_ms), max(high, t.measured_ms)
        devices.add((t.row.device, t.row.acquisition))
        if (
            t.row.row_no != first.row.row_no + count
            or t.row.boot_id != first.row.boot_id
            or t.synchronised != first.synchronised
            or (t.measured_ms - first.measured_ms) % unit_ms
            or high - low > OFFSET_MAX * unit_ms
            or len(devices) > DEVICES_MAX
        ):
            return count
    return len(timed)
