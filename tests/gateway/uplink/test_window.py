"""What is sent next: lanes, bounds, resending after a silence."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox.rows import ROW_END, RowRange, merged, without_all
from gateway.uplink.window import Bounds, Lane, Window

BOUNDS = Bounds(in_flight_max=4, live_slots=1, silence_s_min=5, silence_s_max=60)


def started(first: int, end: int) -> Window:
    window = Window(BOUNDS)
    window.restart(first=first, end=end)
    return window


def test_what_lies_in_the_outbox_is_backlog_and_the_future_is_live() -> None:
    window = started(10, 20)
    assert window.next_range(Lane.BACKLOG) == RowRange(10, 20)
    assert window.next_range(Lane.LIVE) == RowRange(20, ROW_END)


def test_an_empty_outbox_has_no_backlog() -> None:
    assert started(1, 1).next_range(Lane.BACKLOG) is None


def test_backlog_leaves_a_slot_for_live_rows_and_live_rows_have_a_bound_too() -> None:
    window = started(0, 100)
    for first in (0, 10, 20):
        window.sent(Lane.BACKLOG, RowRange(first, first + 10), now_s=0)
    assert window.next_range(Lane.BACKLOG) is None
    assert window.next_range(Lane.LIVE) == RowRange(100, ROW_END)
    window.sent(Lane.LIVE, RowRange(100, 105), now_s=0)
    assert window.next_range(Lane.LIVE) is None


def test_only_ingests_word_frees_a_slot() -> None:
    window = started(0, 0)
    for first in range(4):
        window.sent(Lane.LIVE, RowRange(first, first + 1), now_s=0)
    assert window.acknowledged([RowRange(1, 2)])
    assert window.in_flight == 3
    assert window.next_range(Lane.LIVE) == RowRange(4, ROW_END)


def test_rows_are_awaited_until_all_of_them_are_stored_be_they_in_flight_or_to_be_sent_again() -> None:
    window = started(0, 0)
    window.sent(Lane.LIVE, RowRange(0, 10), now_s=0)
    assert window.awaits(RowRange(5, 10))
    assert window.return_silent(now_s=5) == 1
    assert window.awaits(RowRange(5, 10))
    window.acknowledged([RowRange(0, 9)])
    assert window.awaits(RowRange(5, 10))
    assert not window.awaits(RowRange(5, 9))
    window.acknowledged([RowRange(9, 10)])
    assert not window.awaits(RowRange(0, 10))


def test_a_partly_stored_message_stays_in_flight_for_the_rest() -> None:
    window = started(0, 0)
    window.sent(Lane.LIVE, RowRange(0, 10), now_s=0)
    window.acknowledged([RowRange(3, 5)])
    window.return_silent(now_s=5)
    assert window.next_range(Lane.BACKLOG) == RowRange(0, 3)


def test_silence_sends_again_with_doubling_bounded_patience() -> None:
    window = started(0, 0)
    waits = []
    now_s = 0.0
    window.sent(Lane.LIVE, RowRange(0, 10), now_s=now_s)
    for _ in range(6):
        waits.append(window.silence_s())
        assert window.return_silent(now_s=now_s + window.silence_s() - 0.001) == 0
        now_s += window.silence_s()
        assert window.return_silent(now_s=now_s) == 1
        assert window.next_range(Lane.BACKLOG) == RowRange(0, 10)
        window.sent(Lane.BACKLOG, RowRange(0, 10), now_s=now_s)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_any_awaited_word_ends_the_patience() -> None:
    window = started(0, 0)
    window.sent(Lane.LIVE, RowRange(0, 10), now_s=0)
    window.return_silent(now_s=5)
    assert window.silence_s() == 10
    assert not window.acknowledged([RowRange(50, 60)])
    assert window.silence_s() == 10
    assert window.acknowledged([RowRange(0, 1)])
    assert window.silence_s() == 5


def test_a_reconnection_sends_everything_again() -> None:
    window = started(0, 0)
    window.sent(Lane.LIVE, RowRange(0, 10), now_s=0)
    window.restart(first=0, end=15)
    assert (window.in_flight, window.next_range(Lane.BACKLOG)) == (0, RowRange(0, 15))
    assert window.next_range(Lane.LIVE) == RowRange(15, ROW_END)


def test_the_oldest_returned_rows_go_first() -> None:
    window = started(0, 100)
    window.sent(Lane.BACKLOG, RowRange(0, 10), now_s=0)
    window.sent(Lane.BACKLOG, RowRange(10, 20), now_s=3)
    assert window.return_silent(now_s=5) == 1
    assert window.next_range(Lane.BACKLOG) == RowRange(0, 10)
    window.sent(Lane.BACKLOG, RowRange(0, 10), now_s=5)
    assert window.next_range(Lane.BACKLOG) == RowRange(20, 100)


RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=8).map(
    lambda pairs: [RowRange(a, a + n) for a, n in pairs]
)


def numbers(ranges: list[RowRange]) -> set[int]:
    return {n for r in ranges for n in range(r.first, r.end)}


@given(RANGES, RANGES)
def test_ranges_are_sets_of_numbers(left: list[RowRange], right: list[RowRange]) -> None:
    joined = merged(left)
    assert numbers(joined) == numbers(left)
    assert all(a.end < b.first for a, b in pairwise(joined))
    assert numbers(without_all(left, right)) == numbers(left) - numbers(right)
