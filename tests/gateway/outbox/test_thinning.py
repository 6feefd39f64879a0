"""What the outbox gives up when it is full, and what it never gives up before all else: cores and file."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clocks.placing import Stamped
from gateway.outbox.evidence import AROUND_MS, SLACK_MS, SPANS_MAX, Evidence, Span
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import Outbox
from gateway.outbox.pace import Pace, hours_left
from gateway.outbox.rows import RowRange
from gateway.outbox.thinning import STAGES, Kind, Thinned, with_thinned
from tests.gateway.outbox_rows import DEVICE, EPOCH_MS, counted, numbers, opened, readings, rows, stamped
from vitals.quality import Quality
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal

FLOOR = Floor(spo2_below=9000, temperature_from=3900)
BOUND = 400_000


class Clock:
    """A monotonic clock that stands still until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def second(at_s: int, spo2: int | None = 9700, quality: Quality = Quality.GOOD, device: str = DEVICE) -> list[Stamped]:
    """What an oximeter says in a second."""
    at_ms = at_s * 1000
    return [
        stamped(at_ms, spo2, quality=quality, device=device),
        stamped(at_ms, 7000, signal=Signal.PULSE, device=device),
        stamped(at_ms, 300, signal=Signal.PERFUSION_INDEX, device=device),
    ]


def fill(outbox: Outbox, seconds: range, clock: Clock) -> None:
    """Accept what an oximeter says and, every twenty seconds, a thermometer, twenty seconds at a time."""
    for start in seconds[::20]:
        clock.now_s = float(start + 20)
        group = [row for at_s in range(start, min(start + 20, seconds.stop)) for row in second(at_s)]
        spot = stamped(start * 1000, 3680, signal=Signal.TEMPERATURE, acquisition=Acquisition.SPOT, device="T")
        outbox.accept([*group, spot])


def seconds_of(outbox: Outbox, signal: Signal) -> list[int]:
    return [(row[2] - EPOCH_MS) // 1000 for row in rows(outbox) if row[4] == SIGNALS[signal].code]


def test_the_kinds_go_one_after_the_other_the_oldest_first(path: Path) -> None:
    clock = Clock()
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    order: list[str] = []
    for start in range(0, 40_000, 500):
        fill(outbox, range(start, start + 500), clock)
        account = outbox.account()
        assert account.used_bytes <= BOUND
        assert account.accepted == account.stored + account.thinned + account.depth
        order.extend(kind for kind in account.thinned_kinds if kind not in order)
    assert order == [Kind.EXTRAS, Kind.PULSE, Kind.EVERY_SECOND, Kind.CONTINUOUS, Kind.SINGLE][: len(order)]
    assert len(order) >= 4
    assert counted(path) == account.depth
    assert sum(account.thinned_kinds.values()) == account.thinned
    newest = range(40_000 - 580, 40_000)
    assert seconds_of(outbox, Signal.PERFUSION_INDEX)[-580:] == list(newest)
    assert seconds_of(outbox, Signal.PULSE)[-580:] == list(newest)
    outbox.close()


def test_every_second_reading_of_a_stream_goes_before_the_rest(path: Path) -> None:
    clock = Clock()
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    at_s = 0
    while not outbox.account().thinned_kinds.get(Kind.EVERY_SECOND):
        fill(outbox, range(at_s, at_s + 100), clock)
        at_s += 100
    kept = seconds_of(outbox, Signal.SPO2)
    gaps = [b - a for a, b in pairwise(kept)]
    thinned = outbox.account().thinned_kinds[Kind.EVERY_SECOND]
    assert gaps[: thinned - 1] == [2] * (thinned - 1)
    assert set(gaps[thinned + 1 :]) == {1}
    assert not [s for s in seconds_of(outbox, Signal.PULSE) if s < kept[thinned]]
    outbox.close()


def test_all_of_a_device_around_a_low_reading_outlives_everything_else(path: Path) -> None:
    clock = Clock()
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    fill(outbox, range(2_000), clock)
    clock.now_s = 2_000.0
    outbox.accept(second(2_000, 8800, Quality.QUESTIONABLE))
    fill(outbox, range(2_001, 40_000), clock)
    around = list(range(2_000 - 600, 2_000 + 600))
    for signal in (Signal.SPO2, Signal.PULSE, Signal.PERFUSION_INDEX):
        assert [s for s in seconds_of(outbox, signal) if s in range(1_400, 2_600)] == around
    others = [s for s in seconds_of(outbox, Signal.PERFUSION_INDEX) if s < 36_000]
    assert others == list(range(1_400, 2_600 + SLACK_MS // 1000 + 1))
    account = outbox.account()
    assert Kind.EVIDENCE not in account.thinned_kinds
    assert account.thinned_kinds[Kind.CONTINUOUS] > 0
    outbox.close()


def test_evidence_goes_last_but_for_the_newest_and_is_counted_apart(path: Path) -> None:
    clock = Clock()
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    for at_s in range(0, 10_000, 20):
        clock.now_s = float(at_s)
        outbox.accept([row for n in range(at_s, at_s + 20) for row in second(n, 8800)])
    account = outbox.account()
    assert set(account.thinned_kinds) == {Kind.EVIDENCE}
    assert account.used_bytes <= BOUND
    assert seconds_of(outbox, Signal.PULSE)[-1_000:] == list(range(9_000, 10_000))
    outbox.close()


def test_where_only_new_rows_are_left_the_oldest_of_them_go_but_never_the_batch_itself(path: Path) -> None:
    outbox = opened(path, bytes_max=BOUND, now_s=Clock())
    for number in range(20):
        outbox.accept(readings(1000, first=1000 * number))
        assert outbox.account().used_bytes <= BOUND
    account = outbox.account()
    assert set(account.thinned_kinds) == {Kind.NEWEST}
    assert account.accepted == account.stored + account.thinned + account.depth == 20_000
    assert numbers(outbox) == list(range(account.thinned + 1, 20_001))
    assert account.thinned_rows == (Thinned(1, account.thinned + 1, account.thinned),)
    outbox.close()


def test_a_batch_larger_than_the_bound_is_accepted_whole(path: Path) -> None:
    outbox = opened(path, bytes_max=256 * 1024)
    assert outbox.accept(readings(20_000)) == RowRange(1, 20_001)
    assert outbox.account().depth == 20_000
    outbox.close()


def test_a_restart_at_the_bound_goes_on_where_it_was(path: Path) -> None:
    clock = Clock()
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    fill(outbox, range(10_000), clock)
    before = outbox.account()
    outbox.close()
    clock.now_s = 0.0
    outbox = opened(path, bytes_max=BOUND, floor=FLOOR, now_s=clock)
    assert outbox.account().thinned_kinds == before.thinned_kinds
    fill(outbox, range(10_000, 20_000), clock)
    account = outbox.account()
    assert account.used_bytes <= BOUND
    assert account.accepted == account.thinned + counted(path)
    assert seconds_of(outbox, Signal.PULSE)[-580:] == list(range(19_420, 20_000))
    outbox.close()


def test_evidence_outlives_the_process_and_ends_when_its_rows_are_stored(path: Path) -> None:
    outbox = opened(path, floor=FLOOR)
    outbox.accept(second(0, 8800))
    outbox.close()
    outbox = opened(path, floor=FLOOR)
    assert [span.device for span in spans(outbox)] == [DEVICE]
    outbox.accept(second(10_000))
    outbox.stored([RowRange(1, 4)])
    assert spans(outbox)
    outbox.stored([RowRange(4, 7)])
    assert not spans(outbox)
    outbox.close()
    outbox = opened(path, floor=FLOOR)
    assert not spans(outbox)
    outbox.close()


def spans(outbox: Outbox) -> tuple[Span, ...]:
    return outbox._book().evidence.spans


def test_the_order_is_the_documented_one() -> None:
    assert [stage.kind for stage in STAGES] == [
        "extras",
        "pulse",
        "every_second",
        "continuous",
        "single",
        "evidence",
        "newest",
    ]
    page = (Path(__file__).resolve().parents[3] / "docs" / "outbox.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \d \| `(\w+)` \|", page, re.MULTILINE)
    assert named == [stage.kind.value for stage in STAGES]


LOW_AT = st.lists(st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 10 * AROUND_MS)), max_size=40)


@given(LOW_AT)
def test_a_span_covers_ten_minutes_around_each_low_reading_and_little_more(lows: list[tuple[str, int]]) -> None:
    evidence = Evidence()
    written: set[Span] = set()
    for device, at_ms in lows:
        change = evidence.low(device, at_ms)
        if change:
            assert written >= set(change.gone)
            written = (written - set(change.gone)) | {change.new}
    assert written == set(evidence.spans)
    for device, at_ms in lows:
        [covering] = [s for s in evidence.spans if s.device == device and s.first_ms <= at_ms < s.end_ms]
        assert covering.first_ms <= at_ms - AROUND_MS
        assert covering.end_ms > at_ms + AROUND_MS
    for span in evidence.spans:
        mine = [at for device, at in lows if device == span.device and span.first_ms <= at < span.end_ms]
        assert min(mine) - span.first_ms == AROUND_MS
        assert span.end_ms - max(mine) <= AROUND_MS + SLACK_MS + 1


def test_who_stays_low_costs_a_write_in_two_minutes() -> None:
    evidence = Evidence()
    changes = [at_s for at_s in range(3_600) if evidence.low("A", at_s * 1000)]
    assert len(changes) <= 3_600_000 // SLACK_MS + 1


def test_the_oldest_span_is_forgotten_at_the_bound() -> None:
    evidence = Evidence()
    for number in range(SPANS_MAX):
        evidence.low("A", number * 10 * AROUND_MS)
    change = evidence.low("B", 0)
    assert change is not None
    assert [span.first_ms for span in change.gone] == [-AROUND_MS]
    assert len(evidence.spans) == SPANS_MAX


def test_ranges_of_thinned_rows_join_and_their_counts_add_up() -> None:
    known = with_thinned([], Thinned(10, 20, 10))
    known = with_thinned(known, Thinned(30, 50, 5))
    assert known == [Thinned(10, 20, 10), Thinned(30, 50, 5)]
    assert with_thinned(known, Thinned(20, 25, 5)) == [Thinned(10, 25, 15), Thinned(30, 50, 5)]
    assert with_thinned(known, Thinned(12, 40, 3)) == [Thinned(10, 50, 18)]
    assert with_thinned(known, Thinned(90, 91, 1), ranges_max=2) == [Thinned(10, 50, 15), Thinned(90, 91, 1)]


def test_what_counts_as_new_is_what_came_in_the_last_ten_minutes() -> None:
    pace = Pace(now_s=0, newest_from=40, end_row=100, accepted=100)
    assert pace.newest_from(0) == 40
    for minute in range(1, 30):
        assert pace.note(now_s=minute * 60.0, end_row=100 + minute, accepted=100 + minute)
    assert not pace.note(now_s=29 * 60.0 + 59, end_row=999, accepted=999)
    assert pace.newest_from(29 * 60.0) == 119
    assert pace.newest_from(500 * 60.0) == 129


def test_the_rate_is_that_of_the_last_hour() -> None:
    pace = Pace(now_s=0, newest_from=1, end_row=1, accepted=0)
    assert pace.rows_per_hour(now_s=30, accepted=10) is None
    for minute in range(1, 200):
        pace.note(now_s=minute * 60.0, end_row=1, accepted=minute * (1 if minute < 100 else 10))
    assert pace.rows_per_hour(now_s=199 * 60.0, accepted=1990) == 600


@pytest.mark.parametrize(
    ("used", "depth", "rate", "hours"),
    [
        (0, 0, 3_200, 10.0),
        (0, 0, None, None),
        (0, 0, 0, None),
        (512_000, 20_000, 1_000, 20.0),
        (2_000_000, 0, 100, 0.0),
    ],
)
def test_hours_left(used: int, depth: int, rate: int | None, hours: float | None) -> None:
    assert hours_left(used_bytes=used, bytes_max=1_024_000, depth=depth, rows_per_hour=rate) == hours
