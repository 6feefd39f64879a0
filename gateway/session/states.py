"""The life of one device's session, as a table: (state, event) -> next state and what the shell must do.

SCAN      waits for an advertisement that comes from now on, and for a free link: an old one says nothing about who
          is in reach
CONNECT   waits its turn (connects are serial on an adapter) and for the link
BOND      pairs, where the device wants it; passed through where it does not
DISCOVER  chooses the driver by the services, and looks for what it listens to
SET_CLOCK holds the device's clock against ours and sets it, where it can be set and ours is right
SUBSCRIBE asks for notifications, anew on every link: a subscription dies with its link; then says the driver's first
          words
POLL      listens and asks again and again, for devices that speak only when asked
STREAM    listens
WAIT      pauses after a failure, longer each time, bounded

Silence for too long is a dead link, whatever the stack says. A link may also end because its measurement is done,
because another device's turn has come, or because what carries it was taken down (DROPPED): none of these is a failure.
"""

from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """Where a session stands."""

    SCAN = "scan"
    CONNECT = "connect"
    BOND = "bond"
    DISCOVER = "discover"
    SET_CLOCK = "set_clock"
    SUBSCRIBE = "subscribe"
    POLL = "poll"
    STREAM = "stream"
    WAIT = "wait"


class Event(Enum):
    """What can happen to a session."""

    ADVERTISED = "advertised"
    ADVERTISEMENT_AGED = "advertisement_aged"
    CONNECTED = "connected"
    MUST_BOND = "must_bond"
    BONDED = "bonded"
    FOUND = "found"
    NOTHING_TO_READ = "nothing_to_read"
    CLOCK_DONE = "clock_done"
    SUBSCRIBED = "subscribed"
    SUBSCRIBED_TO_POLL = "subscribed_to_poll"
    FAILED = "failed"
    LINK_LOST = "link_lost"
    SILENT = "silent"
    DONE = "done"
    PREEMPTED = "preempted"
    DROPPED = "dropped"
    RESTED = "rested"


class Action(Enum):
    """What the shell does next."""

    AWAIT_TURN = "await_turn"
    CONNECT = "connect"
    BOND = "bond"
    DISCOVER = "discover"
    SET_CLOCK = "set_clock"
    SUBSCRIBE = "subscribe"
    POLL = "poll"
    LISTEN = "listen"
    REST = "rest"


class IllegalMove(Exception):
    """An event that can not happen in this state: a bug."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A session's state, and how many failures in a row brought it there."""

    state: State = State.SCAN
    failures: int = 0


LINKED_STATES = frozenset(
    {State.BOND, State.DISCOVER, State.SET_CLOCK, State.SUBSCRIBE, State.POLL, State.STREAM},
)
LISTENING_STATES = frozenset({State.POLL, State.STREAM})

_TABLE: dict[tuple[State, Event], State] = {
    (State.SCAN, Event.ADVERTISED): State.CONNECT,
    (State.CONNECT, Event.ADVERTISEMENT_AGED): State.SCAN,
    (State.CONNECT, Event.CONNECTED): State.BOND,
    (State.BOND, Event.BONDED): State.DISCOVER,
    (State.DISCOVER, Event.FOUND): State.SET_CLOCK,
    (State.DISCOVER, Event.NOTHING_TO_READ): State.WAIT,
    (State.SET_CLOCK, Event.CLOCK_DONE): State.SUBSCRIBE,
    (State.SUBSCRIBE, Event.SUBSCRIBED): State.STREAM,
    (State.SUBSCRIBE, Event.SUBSCRIBED_TO_POLL): State.POLL,
    (State.WAIT, Event.RESTED): State.SCAN,
    # A device may show only on the link that it wants to be paired with.
    **{(state, Event.MUST_BOND): State.BOND for state in (State.DISCOVER, State.SET_CLOCK, State.SUBSCRIBE)},
    (State.POLL, Event.MUST_BOND): State.BOND,
    **{(state, Event.FAILED): State.WAIT for state in LISTENING_STATES | {State.CONNECT}},
    **{
        (state, event): State.WAIT
        for state in LINKED_STATES - LISTENING_STATES
        for event in (Event.FAILED, Event.LINK_LOST)
    },
    **{(state, Event.DROPPED): State.SCAN for state in LINKED_STATES | {State.CONNECT}},
    # An unplanned end of a link that spoke is not a failure of ours: straight back to scanning.
    **{
        (state, event): State.SCAN
        for state in LISTENING_STATES
        for event in (Event.LINK_LOST, Event.DONE, Event.PREEMPTED)
    },
    **{(state, Event.SILENT): State.WAIT for state in LISTENING_STATES},
}
_ACTIONS: dict[State, Action] = {
    State.SCAN: Action.AWAIT_TURN,
    State.CONNECT: Action.CONNECT,
    State.BOND: Action.BOND,
    State.DISCOVER: Action.DISCOVER,
    State.SET_CLOCK: Action.SET_CLOCK,
    State.SUBSCRIBE: Action.SUBSCRIBE,
    State.POLL: Action.POLL,
    State.STREAM: Action.LISTEN,
    State.WAIT: Action.REST,
}
_REST_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
_FORGETS_EVERY = 5
_DOUBTS_MAX = 4


def moved(progress: Progress, event: Event) -> Progress:
    """Make one move. Raises IllegalMove."""
    try:
        state = _TABLE[progress.state, event]
    except KeyError:
        raise IllegalMove(f"{event.value} in state {progress.state.value}") from None
    if state is State.WAIT:
        return Progress(state=state, failures=progress.failures + 1)
    if state in LISTENING_STATES:
        return Progress(state=state)
    return replace(progress, state=state)


def action_in(state: State) -> Action:
    """Say what the shell does in a state."""
    return _ACTIONS[state]


def rest_s(failures: int) -> float:
    """Say how long to pause after so many failures in a row, in machine seconds."""
    return _REST_S[min(max(failures, 1), len(_REST_S)) - 1]


def doubts_bond(before: int, state: State, event: Event, *, is_refused: bool) -> int:
    """Count the encounters in a row, so far `before`, that went as they do where one side has lost the bond.

    The device refuses what it granted, or hung up while we were connecting (`is_refused`), or did before anything was
    said. One at the edge of reach does so too, now and then, and a new bond may take a person: so one is not enough.
    """
    if state in LISTENING_STATES:
        return 0
    return before + (is_refused or (state in LINKED_STATES and event is Event.LINK_LOST))


def forgets_bond(doubts: int) -> bool:
    """Say whether a bond is thrown away after so many encounters in a row that spoke against it."""
    return doubts >= _DOUBTS_MAX


def forgets_device(state: State, event: Event, failures: int) -> bool:
    """Say whether what the stack remembers of a device is thrown away, as it may be its old services.

    At once where what should be there is missing (and seldom again: it costs a whole discovery), and after every few
    connects in vain.
    """
    if (state, event) == (State.DISCOVER, Event.NOTHING_TO_READ):
        return failures % _FORGETS_EVERY == 0
    return (state, event) == (State.CONNECT, Event.FAILED) and failures % _FORGETS_EVERY == _FORGETS_EVERY - 1
