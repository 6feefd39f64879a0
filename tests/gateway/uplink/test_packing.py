"""Outbox rows to messages: what may share one message, and which time a row is sent with."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clocks.boots import Boot, Boots
from gateway.clocks.placing import Stamp
from gateway.outbox.rows import Excerpt, Row, Source
from gateway.uplink.packing import NO_BOOTS, Moment, Packed, pack_front
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.wire import rows_of, unpack

OUTBOX = UUID(int=1)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_MS = round(EPOCH.timestamp() * 1000)
NOW = Stamp(wall=EPOCH + timedelta(seconds=100), mono_ms=100_000, boot_id=7, synchronised=True)


@dataclass(frozen=True, kw_only=True)
class OneRow:
    """A row with its source spelled out."""

    row_no: int
    device: str
    acquisition: Acquisition
    signal: Signal
    wall_ms: int
    mono_ms: int
    boot_id: int
    synchronised: bool
    value: int | None
    quality: Quality
    reason: Reason

    def source(self) -> Source:
        return Source(
            device=self.device,
            acquisition=int(self.acquisition),
            boot_id=self.boot_id,
            synchronised=self.synchronised,
        )

    def columns(self, source: int) -> Row:
        code = SIGNALS[self.signal].code
        return (
            self.row_no, source, self.wall_ms, self.mono_ms, code, self.value, self.quality, self.reason, 1,
        )  # fmt: skip


def row(number: int, at_ms: int = 0, **changes: Any) -> OneRow:
    values: dict[str, Any] = {
        "row_no": number,
        "device": "AA",
        "acquisition": Acquisition.CONTINUOUS,
        "signal": Signal.SPO2,
        "wall_ms": EPOCH_MS + at_ms,
        "mono_ms": at_ms,
        "boot_id": 7,
        "synchronised": True,
        "value": 9700,
        "quality": Quality.GOOD,
        "reason": Reason.NONE,
    }
    return OneRow(**values | changes)


def excerpt(rows: list[OneRow]) -> Excerpt:
    keys = {source: key for key, source in enumerate(dict.fromkeys(row.source() for row in rows), 1)}
    return Excerpt(
        outbox_id=OUTBOX,
        rows=[row.columns(keys[row.source()]) for row in rows],
        sources={key: source for source, key in keys.items()},
    )


def packed(
    rows: list[OneRow], *, now: Stamp = NOW, speed: float = 1.0, rows_max: int = 2000, boots: Boots = NO_BOOTS
) -> Packed:
    moment = Moment(stamp=now, speed=speed, boots=boots)
    return pack_front(excerpt(rows), moment, backlog=False, rows_max=rows_max)


def count(rows: list[OneRow], **options: Any) -> int:
    span = packed(rows, **options).rows
    return span.end - span.first


def times(rows: list[OneRow], **options: Any) -> list[int]:
    message = unpack(packed(rows, **options).payload)
    return [message.header.t0_ms + r.offset * message.header.offset_unit_ms - EPOCH_MS for r in rows_of(message)]


def test_a_message_says_what_the_rows_say() -> None:
    message = unpack(
        packed(
            [
                row(41, 5, value=None, quality=Quality.INVALID, reason=Reason.FINGER_OUT),
                row(42, 3, signal=Signal.TEMPERATURE, device="BB", acquisition=Acquisition.SPOT, value=3680),
            ]
        ).payload
    )
    header = message.header
    assert (header.outbox_id, header.first_row, header.boot_id, header.t0_ms) == (OUTBOX, 41, 7, EPOCH_MS + 3)
    assert (header.sent_ms, header.synchronised, header.backlog) == (EPOCH_MS + 100_000, True, False)
    assert [(d.device, d.acquisition) for d in header.devices] == [("AA", 0), ("BB", 1)]
    assert [(r.offset, r.device_index, r.signal_code, r.value, r.quality, r.reason) for r in rows_of(message)] == [
        (2, 0, 1, -32768, 3, 9),
        (0, 1, 4, 3680, 0, 0),
    ]


@pytest.mark.parametrize(("span_ms", "rows"), [(65_535, 2), (65_536, 1)])
def test_milliseconds_span_65_535(span_ms: int, rows: int) -> None:
    assert count([row(1, 0), row(2, span_ms)]) == rows


@pytest.mark.parametrize(("span_s", "rows"), [(65_535, 2), (65_536, 1)])
def test_whole_seconds_span_18_hours(span_s: int, rows: int) -> None:
    pair = [row(1, 0, acquisition=Acquisition.STORED), row(2, span_s * 1000, acquisition=Acquisition.STORED)]
    assert count(pair) == rows


def test_two_live_samples_of_one_second_never_fall_on_one_instant() -> None:
    live = [row(n, n * 450) for n in range(1, 400)]
    assert times(live) == [n * 450 for n in range(1, count(live) + 1)]


@pytest.mark.parametrize(
    "second",
    [
        row(3),  # a hole: row 2 is stored already
        row(2, boot_id=8),
        row(2, synchronised=False, boot_id=8),
        row(2, 65_537),
        row(2, -65_536),
    ],
)
def test_what_can_not_share_a_message_begins_the_next(second: OneRow) -> None:
    assert count([row(1), second]) == 1


def test_a_message_holds_at_most_so_many_rows() -> None:
    assert count([row(n) for n in range(1, 20)], rows_max=7) == 7


def test_a_message_holds_at_most_255_devices() -> None:
    assert count([row(n, device=f"D{n}") for n in range(1, 400)]) == 255


def test_an_unsynchronised_row_of_this_boot_is_put_right_by_monotonic_time() -> None:
    wrong = [row(1, 0, wall_ms=1_000, mono_ms=40_000, synchronised=False)]
    assert times(wrong) == [40_000]  # 60 s before now
    assert unpack(packed(wrong).payload).header.synchronised
    assert times(wrong, speed=2.0) == [-20_000]  # 120 clinical s before now


def test_while_the_clock_stays_unsynchronised_the_header_says_so() -> None:
    now = Stamp(wall=NOW.wall, mono_ms=NOW.mono_ms, boot_id=7, synchronised=False)
    message = unpack(packed([row(1, synchronised=False)], now=now).payload)
    assert not message.header.synchronised


def test_an_unsynchronised_row_of_a_boot_that_is_not_known_goes_as_stamped() -> None:
    stranger = [row(1, 77, boot_id=8, synchronised=False)]
    assert times(stranger) == [77]
    assert not unpack(packed(stranger).payload).header.synchronised
    assert unpack(packed(stranger).payload).header.boot_id == 8


def test_a_boot_once_synchronised_dates_its_earlier_rows() -> None:
    boots = Boots([Boot(boot_id=8, last_mono_ms=60_000, dated=(60_000, EPOCH_MS - 3_600_000))])
    early = [row(1, wall_ms=5_000, mono_ms=20_000, boot_id=8, synchronised=False)]
    assert times(early, boots=boots) == [-3_640_000]
    assert unpack(packed(early, boots=boots).payload).header.synchronised


def test_a_boot_never_synchronised_is_dated_as_late_as_it_can_have_been() -> None:
    boots = Boots([Boot(boot_id=8, last_mono_ms=60_000), Boot(boot_id=9, last_mono_ms=5_000)])
    early = [row(1, wall_ms=5_000, mono_ms=20_000, boot_id=8, synchronised=False)]
    assert times(early, boots=boots) == [-40_000 - 5_000]  # this boot began at 0
    assert not unpack(packed(early, boots=boots).payload).header.synchronised
    unsynchronised = replace(NOW, synchronised=False)
    assert times(early, boots=boots, now=unsynchronised) == [-45_000]


def test_a_record_of_a_devices_memory_keeps_the_devices_time() -> None:
    assert times([row(1, -3_600_000, acquisition=Acquisition.STORED, synchronised=False, mono_ms=99_999)]) == [
        -3_600_000
    ]


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(seconds=3)])
def test_a_live_row_follows_a_jump_of_the_clock_that_stamped_it(jump: timedelta) -> None:
    jumped = Stamp(wall=NOW.wall + jump, mono_ms=NOW.mono_ms, boot_id=7, synchronised=True)
    moved_ms = jump // timedelta(milliseconds=1)
    assert times([row(1, 5), row(2, 905)], now=jumped) == [5 + moved_ms, 905 + moved_ms]


@pytest.mark.parametrize(
    "now",
    [
        Stamp(wall=NOW.wall + timedelta(seconds=2), mono_ms=NOW.mono_ms, boot_id=7, synchronised=True),  # a leap
        Stamp(wall=NOW.wall + timedelta(hours=1), mono_ms=NOW.mono_ms, boot_id=7, synchronised=False),  # not believed
        Stamp(wall=NOW.wall + timedelta(days=1), mono_ms=5_000, boot_id=9, synchronised=True),  # after a reboot
    ],
)
def test_otherwise_a_row_stamped_by_a_good_clock_keeps_its_stamp(now: Stamp) -> None:
    assert times([row(1, 5)], now=now) == [5]
    assert unpack(packed([row(1, 5)], now=now).payload).header.synchronised


ROWS = st.lists(
    st.tuples(
        st.integers(-(10**8), 10**8),
        st.sampled_from(["AA", "BB"]),
        st.booleans(),
        st.sampled_from([7, 8]),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(ROWS)
def test_packing_to_the_end_loses_moves_and_doubles_nothing(spec: list[tuple[int, str, bool, int, bool]]) -> None:
    rows = [
        row(n, (at // 1000 * 1000) if whole else at, device=device, boot_id=boot, synchronised=sync)
        for n, (at, device, whole, boot, sync) in enumerate(spec, 1)
    ]
    sent: dict[int, int] = {}
    left = rows
    while left:
        message = packed(left)
        body = unpack(message.payload)
        for number, r in enumerate(rows_of(body), body.header.first_row):
            sent[number] = body.header.t0_ms + r.offset * body.header.offset_unit_ms
        left = [r for r in left if r.row_no >= message.rows.end]
    assert sorted(sent) == [r.row_no for r in rows]
    unmoved = [r for r in rows if r.synchronised or r.boot_id != 7]
    assert {r.row_no: r.wall_ms for r in unmoved} == {r.row_no: sent[r.row_no] for r in unmoved}
