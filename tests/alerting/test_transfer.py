"""The model check of an episode with its referral: every event in every state, over the real transition functions."""

import sys
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from alerting.cases.transfer import (
    ACT_OF,
    CHASES,
    STEPS,
    Consequence,
    Event,
    Referral,
    Side,
    Stage,
    after_step,
    begun,
    possible_events,
    step_for,
)
from alerting.episodes import HUMAN_ACTS, Act, Audience, IllegalAct, Standing, State, after, move_for
from alerting.profile.profile import Priority
from tests.alerting.streams import profile

T0 = datetime(2026, 1, 1, tzinfo=UTC)
TIMERS = profile().timers[Priority.HIGH]
CANDIDATES = 2
WAITS_MAX = 40
CHASES_MAX = max(chase.quiet for chase in CHASES.values()) + 1


@dataclass(frozen=True)
class World:
    """An episode and its referral, where one is under way; instants are folded into whether there is one."""

    episode: Standing
    referral: Referral | None

    def folded(self) -> "World":
        referral = self.referral and replace(
            self.referral, due_at=T0 if self.referral.due_at else None, chases=min(self.referral.chases, CHASES_MAX)
        )
        return World(replace(self.episode, alarmed_at=T0, due_at=T0 if self.episode.due_at else None), referral)


Label = tuple[str, str, str]


def act(world: World, what: Act, service_tier: int = 0, now: datetime = T0) -> World:
    move = move_for(world.episode, what, service_tier=service_tier)
    episode = after(world.episode, what, move, now=now, timers=TIMERS)
    referral = world.referral if episode.referral else None
    if what is Act.REFER and service_tier == 3:
        referral = begun(CANDIDATES, now=now, timers=TIMERS)
    return World(episode, referral)


def say(world: World, event: Event, side: Side | None = None, now: datetime = T0) -> World:
    assert world.referral is not None
    step = step_for(world.referral, event, side=side)
    world = World(world.episode, after_step(world.referral, event, step, now=now, timers=TIMERS))
    return act(world, ACT_OF[step.consequence], now=now) if step.consequence in ACT_OF else world


def moves(world: World) -> dict[Label, World]:
    found: dict[Label, World] = {}
    by_system = (Act.DEADLINE, Act.ALARM_ANEW, Act.CAUSE_ENDED)
    for what, tier in [(each, 0) for each in by_system] + [(each, tier) for each in HUMAN_ACTS for tier in (2, 3)]:
        try:
            found["episode", what, str(tier)] = act(world, what, tier)
        except IllegalAct:
            continue
    if world.referral is not None:
        found["referral", Event.DEADLINE, ""] = say(world, Event.DEADLINE)
        for side in Side:
            for event in possible_events(world.referral, side):
                found["referral", event, side] = say(world, event, side)
    if world.episode.state is not State.CLOSED and not world.episode.settled:
        found["time", "settles", ""] = replace(world, episode=replace(world.episode, settled=True))
    return {label: new.folded() for label, new in found.items()}


def explore() -> dict[World, dict[Label, World]]:
    seen: dict[World, dict[Label, World]] = {}
    queue: deque[World] = deque()
    for tier3, technical in ((True, False), (False, False), (False, True)):
        blank = Standing(
            state=State.UNACK, step=0, service_tier=2, tier3=tier3, technical=technical, alarmed_at=T0, due_at=None
        )
        queue.append(act(World(blank, None), Act.ALARM_ANEW).folded())
    while queue:
        world = queue.popleft()
        if world not in seen:
            seen[world] = moves(world)
            queue.extend(seen[world].values())
    return seen


MODEL = explore()
OPEN = [world for world in MODEL if world.episode.state is not State.CLOSED]


def test_the_whole_of_both_tables_is_reached(capsys: pytest.CaptureFixture[str]) -> None:
    transitions = sum(len(found) for found in MODEL.values())
    with capsys.disabled():
        sys.stdout.write(f" [{len(MODEL)} states, {transitions} transitions] ")
    assert {world.episode.state for world in MODEL} == set(State)
    assert {world.referral.stage for world in MODEL if world.referral} == set(Stage) - {Stage.ENDED}
    assert {(stage, event) for stage, event in STEPS} == {
        (world.referral.stage, Event(label[1]))
        for world, found in MODEL.items()
        for label in found
        if world.referral and label[0] == "referral" and label[1] != Event.DEADLINE
    }


def test_every_open_state_has_a_deadline_and_so_has_every_referral_under_way() -> None:
    for world in MODEL:
        assert (world.episode.due_at is None) == (world.episode.state is State.CLOSED), world
        assert world.episode.referral == (world.referral is not None), world
        if world.referral:
            assert world.referral.due_at is not None, world


def test_nothing_but_a_person_closes_what_is_not_technical() -> None:
    for world in OPEN:
        assert not (world.episode.technical and world.referral), world
        for (of, what, who), new in MODEL[world].items():
            if new.episode.state is State.CLOSED and not (world.episode.technical and what == Act.CAUSE_ENDED):
                assert (of == "episode" and what in HUMAN_ACTS) or (of == "referral" and who in set(Side)), (
                    world,
                    what,
                )


def test_timers_alone_end_in_exhausted_from_everywhere() -> None:
    """Time passes, nobody says anything: whichever deadline is next, fires."""
    for start in OPEN:
        world, seen = _from_now_on(start), False
        for _ in range(WAITS_MAX):
            deadlines = [world.episode.due_at, *([world.referral.due_at] if world.referral else [])]
            now = min(due for due in deadlines if due is not None)
            if world.referral is not None and world.referral.due_at == now:
                world = say(world, Event.DEADLINE, now=now)
            else:
                world = act(world, Act.DEADLINE, now=now)
            seen = seen or world.episode.state is State.EXHAUSTED
        assert seen, start
        assert world.episode.state is State.EXHAUSTED, start


def _from_now_on(world: World) -> World:
    """Give each clock that runs its full time again."""
    episode = replace(world.episode, due_at=T0 + timedelta(seconds=1))
    referral = world.referral and replace(world.referral, due_at=T0 + timedelta(seconds=2))
    return World(episode, referral)


def test_every_open_state_can_still_be_closed_by_people() -> None:
    for start in OPEN:
        found, queue = {start}, deque([start])
        while queue:
            for (of, what, who), new in MODEL[queue.popleft()].items():
                human = (of == "episode" and what in HUMAN_ACTS) or who in set(Side) or of == "time"
                if human and new not in found:
                    found.add(new)
                    queue.append(new)
        assert any(world.episode.state is State.CLOSED for world in found), start


def test_no_alarm_is_turned_down_by_what_happens_to_the_referral() -> None:
    ringing = {State.UNACK, State.T3_UNACK, State.EXHAUSTED}
    for world in OPEN:
        if world.episode.state not in ringing:
            continue
        for (of, what, _), new in MODEL[world].items():
            if of == "referral" and what != Event.DIED:
                assert new.episode.state is world.episode.state, (world, what)


def test_while_a_referral_is_under_way_nothing_else_is_decided() -> None:
    for world in OPEN:
        if world.referral is None:
            continue
        decided = {what for of, what, _ in MODEL[world] if of == "episode" and what in HUMAN_ACTS}
        assert decided <= {Act.ACKNOWLEDGE, Act.GO_ON, Act.REFER}, world
        assert ("episode", Act.REFER, "3") not in MODEL[world], world


def test_a_case_ends_by_tier_3_alone_and_only_when_all_is_settled() -> None:
    for world in OPEN:
        for (of, what, tier), new in MODEL[world].items():
            if of == "episode" and world.episode.tier3 and what in (Act.CLOSE, Act.STEP_DOWN):
                assert tier == "3", (world, what)
                assert world.episode.settled, (world, what)
            if world.episode.tier3 and not new.episode.tier3 and new.episode.state is not State.CLOSED:
                assert what == Act.STEP_DOWN, (world, what)


def test_a_refusal_offers_to_the_next_and_reports_it_until_none_is_left() -> None:
    referral = begun(3, now=T0, timers=TIMERS)
    asked = 1
    while referral.stage is Stage.OFFERED:
        step = step_for(referral, Event.REJECT, side=Side.RECEIVER)
        assert Audience.AUTHORITY in step.page
        referral = after_step(referral, Event.REJECT, step, now=T0, timers=TIMERS)
        asked += referral.stage is Stage.OFFERED
    assert asked == 3
    assert referral.stage is Stage.UNPLACED
    assert step.page == (Audience.COUNTY_EXPERT, Audience.AUTHORITY, Audience.OPERATIONS)


def test_no_answer_in_time_is_a_refusal() -> None:
    referral = begun(2, now=T0, timers=TIMERS)
    assert referral.due_at == T0 + timedelta(minutes=10)
    by_clock = step_for(referral, Event.DEADLINE)
    assert by_clock == step_for(referral, Event.REJECT, side=Side.RECEIVER)
    referral = after_step(referral, Event.DEADLINE, by_clock, now=T0, timers=TIMERS)
    assert (referral.stage, referral.candidates_left, referral.chases) == (Stage.OFFERED, 0, 0)


def test_nobody_to_ask_is_loud_at_once_and_exhausts_at_the_first_deadline() -> None:
    referral = begun(0, now=T0, timers=TIMERS)
    assert (referral.stage, referral.due_at) == (Stage.UNPLACED, T0 + timedelta(minutes=5))
    assert step_for(referral, Event.DEADLINE).consequence is Consequence.EXHAUST


def test_the_closed_loop_has_a_clock_at_every_step() -> None:
    referral = begun(1, now=T0, timers=TIMERS)
    clocks = [referral.due_at]
    for event, side in (
        (Event.ACCEPT, Side.RECEIVER),
        (Event.DEPART, Side.PRIMARY),
        (Event.ARRIVE, Side.RECEIVER),
        (Event.ADMIT, Side.RECEIVER),
        (Event.DISCHARGE, Side.RECEIVER),
        (Event.RETURN, Side.PRIMARY),
    ):
        step = step_for(referral, event, side=side)
        referral = after_step(referral, event, step, now=T0, timers=TIMERS)
        clocks.append(referral.due_at)
    minutes = [round((clock - T0).total_seconds() / 60) if clock else None for clock in clocks]
    assert minutes == [10, 30, 60, 24 * 60, 72 * 60, 24 * 60, None]
    assert step.consequence is Consequence.TO_MONITOR
    with pytest.raises(IllegalAct, match="has ended"):
        step_for(referral, Event.ACCEPT, side=Side.COUNTY)


def test_who_may_say_what_is_in_the_refusal() -> None:
    referral = begun(1, now=T0, timers=TIMERS)
    with pytest.raises(IllegalAct, match="accept by primary is not possible while the referral is offered"):
        step_for(referral, Event.ACCEPT, side=Side.PRIMARY)
