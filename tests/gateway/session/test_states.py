"""The table of a session's life."""

import pytest

from gateway.session.states import (
    LINKED_STATES,
    LISTENING_STATES,
    Action,
    Event,
    IllegalMove,
    Progress,
    State,
    action_in,
    doubts_bond,
    forgets_bond,
    forgets_device,
    moved,
    rest_s,
)


def lived(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress = moved(progress, event)
    return progress


LINK = (Event.ADVERTISED, Event.CONNECTED, Event.BONDED)
UP = (*LINK, Event.FOUND, Event.CLOCK_DONE, Event.SUBSCRIBED)


def test_the_way_up() -> None:
    assert lived(*UP) == Progress(state=State.STREAM, failures=0)


def test_a_device_that_speaks_when_asked_is_polled() -> None:
    assert lived(*UP[:-1], Event.SUBSCRIBED_TO_POLL) == Progress(state=State.POLL, failures=0)


def test_a_wish_to_be_paired_that_shows_on_the_link_leads_through_bonding_and_all_after_it() -> None:
    assert lived(*LINK, Event.FOUND, Event.CLOCK_DONE, Event.MUST_BOND).state is State.BOND
    assert lived(*LINK, Event.FOUND, Event.MUST_BOND, Event.BONDED).state is State.DISCOVER


@pytest.mark.parametrize("last", [Event.SUBSCRIBED, Event.SUBSCRIBED_TO_POLL])
def test_a_fault_of_ours_while_listening_is_a_failure_with_a_pause(last: Event) -> None:
    assert lived(*UP[:-1], last, Event.FAILED) == Progress(state=State.WAIT, failures=1)


def test_a_device_that_wants_to_be_paired_only_when_polled_is_paired() -> None:
    assert lived(*UP[:-1], Event.SUBSCRIBED_TO_POLL, Event.MUST_BOND).state is State.BOND


@pytest.mark.parametrize("event", [Event.DONE, Event.PREEMPTED, Event.DROPPED, Event.LINK_LOST])
@pytest.mark.parametrize("last", [Event.SUBSCRIBED, Event.SUBSCRIBED_TO_POLL])
def test_a_link_that_spoke_and_ended_is_no_failure(last: Event, event: Event) -> None:
    assert lived(*UP[:-1], last, event) == Progress(state=State.SCAN, failures=0)


@pytest.mark.parametrize("state", [state for state in State if state in LINKED_STATES - LISTENING_STATES])
def test_a_link_that_was_lost_before_it_spoke_is_a_failure(state: State) -> None:
    assert moved(Progress(state=state), Event.LINK_LOST) == Progress(state=State.WAIT, failures=1)


@pytest.mark.parametrize("state", [state for state in State if state in LINKED_STATES | {State.CONNECT}])
def test_what_is_taken_down_with_the_stack_is_no_failure_wherever_it_stood(state: State) -> None:
    assert moved(Progress(state=state, failures=2), Event.DROPPED) == Progress(state=State.SCAN, failures=2)


def test_a_device_is_forgotten_when_something_is_missing_and_seldom_again() -> None:
    missing = [n for n in range(11) if forgets_device(State.DISCOVER, Event.NOTHING_TO_READ, n)]
    in_vain = [n for n in range(11) if forgets_device(State.CONNECT, Event.FAILED, n)]
    assert (missing, in_vain) == ([0, 5, 10], [4, 9])
    assert not forgets_device(State.STREAM, Event.LINK_LOST, 0)


def test_a_lost_link_leads_back_to_scanning_and_through_subscribing_again() -> None:
    assert lived(*UP, Event.LINK_LOST).state is State.SCAN
    assert lived(*UP, Event.LINK_LOST, *UP[:-1]).state is State.SUBSCRIBE


def test_a_silent_link_is_given_up_with_a_pause() -> None:
    assert lived(*UP, Event.SILENT) == Progress(state=State.WAIT, failures=1)


def test_failures_count_up_until_data_flow() -> None:
    failed = (Event.ADVERTISED, Event.FAILED, Event.RESTED)
    assert lived(*failed, *failed).failures == 2
    assert lived(*failed, *failed, *UP).failures == 0


def test_an_old_advertisement_is_no_failure() -> None:
    assert lived(Event.ADVERTISED, Event.ADVERTISEMENT_AGED) == Progress()


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [rest_s(n) for n in range(1, 12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, 30.0)


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_action_and_a_way_out(state: State) -> None:
    assert isinstance(action_in(state), Action)
    outcomes = []
    for event in Event:
        try:
            outcomes.append(moved(Progress(state=state), event).state)
        except IllegalMove:
            continue
    assert any(outcome is not state for outcome in outcomes)


def test_an_illegal_move_is_a_bug_that_shows() -> None:
    with pytest.raises(IllegalMove, match="silent in state scan"):
        moved(Progress(), Event.SILENT)


def test_a_bond_is_doubted_where_links_break_before_a_word_and_trusted_again_after_one() -> None:
    doubts = 0
    for number in range(3):
        doubts = doubts_bond(doubts, State.CONNECT, Event.FAILED, is_refused=True)
        assert (doubts, forgets_bond(doubts)) == (number + 1, False)
    assert doubts_bond(doubts, State.CONNECT, Event.FAILED, is_refused=False) == 3  # not heard, out of reach
    assert doubts_bond(doubts, State.CONNECT, Event.DROPPED, is_refused=False) == 3
    assert forgets_bond(doubts_bond(doubts, State.SUBSCRIBE, Event.LINK_LOST, is_refused=False))
    assert doubts_bond(doubts, State.STREAM, Event.LINK_LOST, is_refused=False) == 0
