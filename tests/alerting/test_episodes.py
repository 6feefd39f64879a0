"""The model check: every act in every state, walked to the end, over the real transition function."""

from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from alerting.episodes import HUMAN_ACTS, Act, Audience, IllegalAct, Standing, State, after, move_for, possible
from alerting.profile.profile import Priority, Timers
from tests.alerting.streams import profile

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TIMERS = profile().timers
EVENTS = [(Act.DEADLINE, 0), (Act.ALARM_ANEW, 0), (Act.CAUSE_ENDED, 0)] + [
    (act, tier) for act in HUMAN_ACTS for tier in (2, 3)
]


def raised(
    *, tier3: bool, technical: bool = False, is_person: bool = True, timers: Timers = TIMERS[Priority.HIGH]
) -> Standing:
    blank = Standing(
        state=State.UNACK,
        step=0,
        service_tier=2,
        tier3=tier3,
        technical=technical,
        alarmed_at=T0,
        due_at=None,
        is_person=is_person,
    )
    return after(blank, Act.ALARM_ANEW, move_for(blank, Act.ALARM_ANEW), now=T0, timers=timers)


def reachable() -> dict[Standing, dict[tuple[Act, int], Standing]]:
    """Walk every effective transition; time is folded (what matters is the table, not the minute).

    What a referral does to an episode, and that it can be left, is walked in test_transfer.py.
    """
    seen: dict[Standing, dict[tuple[Act, int], Standing]] = {}
    queue = deque(
        fold(raised(tier3=tier3, technical=technical)) for tier3 in (True, False) for technical in (True, False)
    )
    queue.append(fold(raised(tier3=False, technical=True, is_person=False)))
    while queue:
        standing = queue.popleft()
        if standing in seen:
            continue
        seen[standing] = {}
        if standing.state is not State.CLOSED:
            queue.append(replace(standing, settled=True))
        for act, tier in EVENTS:
            try:
                move = move_for(standing, act, service_tier=tier)
            except IllegalAct:
                continue
            now = standing.due_at if act is Act.DEADLINE and standing.due_at else T0
            new = fold(after(standing, act, move, now=now, timers=TIMERS[Priority.HIGH]))
            seen[standing][act, tier] = new
            queue.append(new)
    return seen


def fold(standing: Standing) -> Standing:
    return replace(standing, alarmed_at=T0, due_at=T0 if standing.due_at else None)


MODEL = reachable()


def test_every_state_but_closed_has_a_deadline_and_closed_has_none() -> None:
    assert {s.state for s in MODEL} == set(State)
    for standing in MODEL:
        assert (standing.due_at is None) == (standing.state is State.CLOSED), standing


def test_a_closed_episode_takes_no_act() -> None:
    for standing, moves in MODEL.items():
        if standing.state is State.CLOSED:
            assert not moves


def test_no_physiological_episode_closes_but_by_a_person() -> None:
    for standing, moves in MODEL.items():
        for (act, tier), new in moves.items():
            if new.state is State.CLOSED and not standing.technical:
                assert act in HUMAN_ACTS, (standing, act)
                assert tier in (2, 3)


def test_a_technical_episode_ends_with_its_cause_from_every_open_state() -> None:
    for standing, moves in MODEL.items():
        if standing.technical and standing.state is not State.CLOSED:
            assert moves[Act.CAUSE_ENDED, 0].state is State.CLOSED


def test_deadlines_alone_end_in_exhausted_and_stay_there() -> None:
    for start in MODEL:
        standing = start
        if standing.state is State.CLOSED or standing.referral:
            continue
        for _ in range(6):
            standing = MODEL[standing][Act.DEADLINE, 0]
        assert standing.state is State.EXHAUSTED, start


def test_every_state_can_still_be_closed_by_people() -> None:
    for start in MODEL:
        if start.referral:
            continue
        found, queue = {start}, deque([start])
        while queue:
            for (act, _), new in MODEL[queue.popleft()].items():
                later = new if new.state is State.CLOSED else replace(new, settled=True)
                if act in HUMAN_ACTS and later not in found:
                    found.add(later)
                    queue.append(later)
        assert any(s.state is State.CLOSED for s in found), start


def test_what_is_no_patients_is_taken_on_at_either_tier_and_never_referred_or_kept_at_home() -> None:
    sites = {standing: moves for standing, moves in MODEL.items() if not standing.is_person}
    assert {s.state for s in sites} == set(State) - {State.T3_ACK, State.REFERRED}
    for standing, moves in sites.items():
        acts = {act for act, _ in moves}
        assert not acts & {Act.STAY_HOME, Act.REFER}, standing
        for act in HUMAN_ACTS:
            assert ((act, 2) in moves) == ((act, 3) in moves), (standing, act)
        if standing.state in (State.UNACK, State.T3_UNACK, State.EXHAUSTED):
            assert moves[Act.ACKNOWLEDGE, 2].state is State.ACK
    assert all(Act.ATTEND not in {a for a, _ in moves} for s, moves in MODEL.items() if s.is_person)


def test_a_worse_alarm_starts_anew_from_every_open_state() -> None:
    for standing, moves in MODEL.items():
        if standing.state is not State.CLOSED:
            new = moves[Act.ALARM_ANEW, 0]
            assert (new.state, new.step) == (State.UNACK, 0)


@pytest.mark.parametrize(
    ("priority", "minutes"),
    [(Priority.HIGH, [3, 6, 11, 16]), (Priority.MEDIUM, [15, 30, 45, 60]), (Priority.LOW, [480, 1440, 2880, 4320])],
)
def test_nobody_answers(priority: Priority, minutes: list[int]) -> None:
    timers = TIMERS[priority]
    standing, fired, paged = raised(tier3=True, timers=timers), [], []
    for _ in minutes:
        assert standing.due_at is not None
        now = standing.due_at
        fired.append(round((now - T0).total_seconds() / 60))
        move = move_for(standing, Act.DEADLINE)
        paged.append(set(move.page))
        standing = after(standing, Act.DEADLINE, move, now=now, timers=timers)
    assert fired == minutes
    assert paged[0] == {Audience.TOWNSHIP_DUTY}
    assert paged[1] == {Audience.COUNTY_EXPERT}
    assert (
        paged[2]
        == paged[3]
        == {
            Audience.FAMILY_DOCTOR,
            Audience.TOWNSHIP_DUTY,
            Audience.COUNTY_EXPERT,
            Audience.OPERATIONS,
        }
    )
    assert standing.state is State.EXHAUSTED


def test_steps_missed_while_down_fire_at_once_in_order_and_exhausted_repeats_from_now() -> None:
    late = T0 + timedelta(hours=5)
    standing = raised(tier3=True)
    states = []
    for _ in range(3):
        assert standing.due_at is not None
        assert standing.due_at < late
        standing = after(
            standing,
            Act.DEADLINE,
            move_for(standing, Act.DEADLINE),
            now=late,
            timers=TIMERS[Priority.HIGH],
        )
        states.append((standing.state, standing.step))
    assert states == [(State.UNACK, 1), (State.T3_UNACK, 2), (State.EXHAUSTED, 3)]
    assert standing.due_at == late + timedelta(minutes=5)


def test_the_family_doctors_acknowledgement_of_a_tier3_alarm_pages_the_county() -> None:
    standing = raised(tier3=True)
    move = move_for(standing, Act.ACKNOWLEDGE, service_tier=2)
    assert (move.to, move.page) == (State.T3_UNACK, (Audience.COUNTY_EXPERT,))


def test_staying_home_is_barred_at_tier_2_for_a_tier3_alarm() -> None:
    standing = replace(raised(tier3=True), state=State.ACK)
    with pytest.raises(IllegalAct, match="tier 3"):
        move_for(standing, Act.STAY_HOME, service_tier=2)
    assert Act.STAY_HOME not in possible(standing, 2)


def test_an_illegal_act_names_state_and_act() -> None:
    with pytest.raises(IllegalAct, match="close by service tier 2 is not possible in state unack"):
        move_for(raised(tier3=False), Act.CLOSE, service_tier=2)
