"""The life of one device's session, as a table: (state, event) -> next state and what the shell must do.

SCAN     waits for an advertisement that comes from now on: an old one says nothing about who is in reach
CONNECT  waits its turn (connects are serial) and for the link
DISCOVER looks for a profile among the services
SUBSCRIBE asks for notifications, anew on every link: a subscription dies with its link
STREAM   listens; silence for too long is a dead link, whatever the stack says
WAIT     pauses after a failure, longer each time, bounded
"""

from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """Where a session stands."""

    SCAN = "scan"
    CONNECT = "connect"
    DISCOVER = "discover"
    SUBSCRIBE = "subscribe"
    STREAM = "stream"
    WAIT = "wait"


class Event(Enum):
    """What can happen to a session."""

    ADVERTISED = "advertised"
    CONNECTED = "connected"
    ADVERTISEMENT_AGED = "advertisement_aged"
    FOUND = "found"
    NOTHING_TO_READ = "nothing_to_read"
    SUBSCRIBED = "subscribed"
    FAILED = "failed"
    LINK_LOST = "link_lost"
    SILENT = "silent"
    RESTED = "rested"


class Action(Enum):
    """What the shell does next."""

    AWAIT_ADVERTISEMENT = "await_advertisement"
    CONNECT = "connect"
    DISCOVER = "discover"
    SUBSCRIBE = "subscribe"
    LISTEN = "listen"
    REST = "rest"


class IllegalMove(Exception):
    """An event that can not happen in this state: a bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A session's state, and how many failures in a row brought it there."""

    state: State = State.SCAN
    failures: int = 0


# An unplanned end of a streaming link is not a failure of ours: straight back to scanning.
_TABLE: dict[tuple[State, Event], State] = {
    (State.SCAN, Event.ADVERTISED): State.CONNECT,
    (State.CONNECT, Event.CONNECTED): State.DISCOVER,
    (State.CONNECT, Event.ADVERTISEMENT_AGED): State.SCAN,
    (State.CONNECT, Event.FAILED): State.WAIT,
    (State.DISCOVER, Event.FOUND): State.SUBSCRIBE,
    (State.DISCOVER, Event.NOTHING_TO_READ): State.WAIT,
    (State.DISCOVER, Event.FAILED): State.WAIT,
    (State.SUBSCRIBE, Event.SUBSCRIBED): State.STREAM,
    (State.SUBSCRIBE, Event.FAILED): State.WAIT,
    (State.STREAM, Event.LINK_LOST): State.SCAN,
    (State.STREAM, Event.SILENT): State.WAIT,
    (State.WAIT, Event.RESTED): State.SCAN,
}
_ACTIONS: dict[State, Action] = {
    State.SCAN: Action.AWAIT_ADVERTISEMENT,
    State.CONNECT: Action.CONNECT,
    State.DISCOVER: Action.DISCOVER,
    State.SUBSCRIBE: Action.SUBSCRIBE,
    State.STREAM: Action.LISTEN,
    State.WAIT: Action.REST,
}
LINKED_STATES = frozenset({State.DISCOVER, State.SUBSCRIBE, State.STREAM})
_REST_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


def moved(progress: Progress, event: Event) -> Progress:
    """Make one move. Raises IllegalMove."""
    try:
        state = _TABLE[progress.state, event]
    except KeyError:
        raise IllegalMove(f"{event.value} in state {progress.state.value}") from None
    if state is State.WAIT:
        return Progress(state=state, failures=progress.failures + 1)
    if state is State.STREAM:
        return Progress(state=state)
    return replace(progress, state=state)


def action_in(state: State) -> Action:
    """Say what the shell does in a state."""
    return _ACTIONS[state]


def rest_s(failures: int) -> float:
    """Say how long to pause after so many failures in a row, in machine seconds."""
    return _REST_S[min(max(failures, 1), len(_REST_S)) - 1]
