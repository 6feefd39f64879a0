"""The table of a session's life."""

import pytest

from gateway.session_states import Action, Event, IllegalMove, Progress, State, action_in, moved, rest_s


def lived(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress = moved(progress, event)
    return progress


UP = (Event.ADVERTISED, Event.CONNECTED, Event.FOUND, Event.SUBSCRIBED)


def test_the_way_up() -> None:
    assert lived(*UP) == Progress(state=State.STREAM, failures=0)


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
