"""When the centre counts as out of reach, and when as back."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alarm.centre import Centre, Facts, observed

SECOND_MS, MINUTE_MS = 1_000, 60_000
PATIENCE_MS = 3 * MINUTE_MS


def facts(*, connected: bool = True, stored: int = 0, waiting: int = 0) -> Facts:
    return Facts(connected=connected, stored=stored, waiting=waiting)


def watched(*seen: tuple[int, Facts], centre: Centre | None = None) -> Centre:
    """Let a watch see facts at minutes."""
    centre = centre or Centre(patience_ms=PATIENCE_MS)
    for minute, now in seen:
        centre = observed(centre, now, minute * MINUTE_MS)
    return centre


@pytest.mark.parametrize(
    ("seen", "since_minute"),
    [
        ([(0, facts()), (60, facts())], None),  # nothing to store: no word is no sign
        ([(0, facts(waiting=5)), (2, facts(waiting=9))], None),
        ([(0, facts(waiting=5)), (3, facts(waiting=9))], 0),
        ([(0, facts(waiting=5)), (2, facts(stored=5)), (4, facts(stored=5, waiting=1)), (6, facts(stored=6))], None),
        ([(0, facts(waiting=5)), (2, facts(stored=1, waiting=4)), (4, facts(stored=1, waiting=4))], None),
        ([(0, facts(waiting=5)), (2, facts(stored=1, waiting=4)), (5, facts(stored=1, waiting=4))], 2),
        ([(0, facts(connected=False)), (2, facts(connected=False))], None),
        ([(0, facts(connected=False)), (3, facts(connected=False))], 0),
        (
            [(0, facts(connected=False)), (2, facts()), (4, facts(connected=False))],
            None,
        ),  # a broker that comes and goes
        ([(0, facts(waiting=1)), (1, facts(connected=False, waiting=1)), (3, facts(waiting=1))], 0),
    ],
)
def test_out_of_reach_after_the_patience_with_something_to_say(
    seen: Sequence[tuple[int, Facts]], since_minute: int | None
) -> None:
    centre = watched(*seen)
    assert centre.unreachable_since_ms == (None if since_minute is None else since_minute * MINUTE_MS)
    assert centre.is_reachable is (since_minute is None)


LOST = [(0, facts(connected=False, waiting=5)), (3, facts(connected=False, waiting=9))]


@pytest.mark.parametrize(
    ("seen", "is_reachable"),
    [
        ((4, facts(waiting=9)), False),  # a broker alone stores nothing
        ((4, facts(stored=1, waiting=8)), True),
        ((4, facts(stored=9)), True),
        ((4, facts(connected=False)), False),  # nothing waits any more (thinned), and nobody is there
        ((4, facts()), True),
    ],
)
def test_back_at_the_first_stored_or_with_a_broker_where_nothing_waits(
    seen: tuple[int, Facts], is_reachable: bool
) -> None:
    centre = watched(*LOST, seen)
    assert centre.is_reachable is is_reachable
    assert centre.reachable_again_ms == (4 * MINUTE_MS if is_reachable else None)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([], None),
        ([(0, facts(connected=False))], None),
        ([(0, facts(waiting=5)), (2, facts(waiting=9))], None),  # sent, and not a word yet
        ([(0, facts())], True),
        ([(0, facts(waiting=5)), (1, facts(stored=1, waiting=4)), (2, facts(connected=False))], True),
        ([(0, facts(connected=False)), (3, facts(connected=False))], False),
        ([*LOST, (4, facts(stored=9))], True),
    ],
)
def test_nothing_is_said_of_it_before_its_first_word(seen: Sequence[tuple[int, Facts]], said: bool | None) -> None:
    assert watched(*seen).said_reachable is said


def test_stored_before_the_watch_began_is_no_word() -> None:
    centre = watched((0, facts(stored=1000, waiting=1)), (3, facts(stored=1000, waiting=1)))
    assert not centre.is_reachable
    assert centre.stored_at_ms is None


def test_a_home_is_alone_while_out_of_reach_and_for_the_handover_behind() -> None:
    fresh = Centre(patience_ms=PATIENCE_MS)
    lost = watched(*LOST)
    back = watched((4, facts(stored=9)), centre=lost)
    assert not fresh.is_alone(0, handover_ms=MINUTE_MS)
    assert lost.is_alone(3 * MINUTE_MS, handover_ms=0)
    assert back.is_alone(5 * MINUTE_MS - 1, handover_ms=MINUTE_MS)
    assert not back.is_alone(5 * MINUTE_MS, handover_ms=MINUTE_MS)


SPELLS = st.lists(
    st.tuples(st.integers(1, 400), st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40
)


@given(SPELLS)
def test_an_outage_is_found_within_its_patience_and_nothing_else_is_one(
    spells: list[tuple[int, bool, bool, int]],
) -> None:
    """Seconds of sameness: a broker or none, an ingest that answers or not, so many readings a second."""
    centre, now_ms, stored, waiting = Centre(patience_ms=PATIENCE_MS), 0, 0, 0
    unheard_s = no_broker_s = -1  # for how long, -1: not now
    for length_s, connected, answers, rate in spells:
        for _ in range(length_s):
            now_ms += SECOND_MS
            waiting += rate
            heard = connected and answers and waiting > 0
            if heard:
                stored, waiting = stored + waiting, 0
            centre = observed(centre, facts(connected=connected, stored=stored, waiting=waiting), now_ms)
            unheard_s = -1 if heard or not waiting else unheard_s + 1
            no_broker_s = -1 if connected else no_broker_s + 1
            if max(unheard_s, no_broker_s) * SECOND_MS >= PATIENCE_MS:
                assert not centre.is_reachable
            if unheard_s < 0 and no_broker_s < 0:
                assert centre.is_reachable
            if centre.unreachable_since_ms is not None:
                assert now_ms - centre.unreachable_since_ms >= PATIENCE_MS
