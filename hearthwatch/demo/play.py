"""Plays the demo to its end: waits for what must happen, acts as the county expert, adds everything up."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg

from hearthwatch.demo.account import Summary, summarise, waiting
from hearthwatch.demo.doctor_hands import Expert
from hearthwatch.demo.milestones import Milestone, Watch
from hearthwatch.demo.stage import KILLABLE, Stage

POLL_S = 0.2
DRAIN_S = 90.0
COURSES = (("p3", "SPO2-CRIT"), ("p4", "SPO2-REFER"), ("p5", "FEVER-PERSIST"))
UNHURRIED = ("FEVER-PERSIST",)
"""Rules of medium priority: half an hour from tier 2 to tier 3, too long for the slow clock of a chaos run."""

ESCALATING = ("alerting", "postgres")
_DEADLINE_NEAR = """
    SELECT EXISTS (SELECT FROM episode
                    WHERE state <> 'closed' AND NOT technical AND due_at BETWEEN %(now)s AND %(soon)s)
"""

Tell = Callable[[Milestone], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must be raised and reach tier 3, and who must stay without a physiological alarm."""

    reach_tier3: frozenset[tuple[str, str]]
    raised: frozenset[tuple[str, str]]
    quiet: frozenset[str] = frozenset({"p1", "p2", "p6"})
    within_s: float = 0.0


@dataclass(slots=True)
class Verdict:
    """How it went; every complaint in words."""

    summary: Summary | None = None
    complaints: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Everything expected happened and the summary adds up."""
        return not self.complaints and self.summary is not None and self.summary.adds_up


def expectation(*, speed: float, chaos: bool) -> Expectation:
    """Say what the built-in courses must lead to, and how long it may take (machine seconds)."""
    wanted = frozenset(pair for pair in COURSES if not (chaos and pair[1] in UNHURRIED))
    clinical_s = 25 * 60 if chaos else 40 * 60
    return Expectation(reach_tier3=wanted, raised=frozenset(COURSES), within_s=clinical_s / speed + 60)


class Play:
    """One run: collects milestones and judges them."""

    def __init__(self, stage: Stage, tell: Tell) -> None:
        self._stage = stage
        self._tell = tell
        self._watch = Watch(stage=stage)
        self._seen: list[Milestone] = []
        self._chaos: Iterator[Milestone] | None = None

    def until_tier3(self, wanted: Expectation, *, chaos: bool) -> Verdict:
        """Run until tier 3 has been told of everything wanted; then decide, drain and add up."""
        verdict = Verdict()
        if chaos:
            self._chaos = kill_each(self._stage)
        reached = self._wait(lambda: wanted.reach_tier3 <= self._at_tier(3), wanted.within_s)
        if not reached:
            missing = sorted(wanted.reach_tier3 - self._at_tier(3))
            verdict.complaints.append(f"tier 3 was not told of {missing} within {wanted.within_s:.0f} s")
        if self._chaos is not None:
            self._wait(lambda: self._chaos is None, 120)
        self._decide(wanted, verdict)
        self._judge(wanted, verdict, chaos=chaos)
        self._add_up(verdict, chaos=chaos)
        return verdict

    def for_ever(self) -> None:
        """Tell milestones until interrupted."""
        while True:
            self._turn()

    def _turn(self) -> None:
        if self._chaos is not None:
            told = next(self._chaos, None)
            if told is None:
                self._chaos = None
            elif told.name != "waiting":
                self._note(told)
        for milestone in self._watch.news():
            self._note(milestone)
        time.sleep(POLL_S)

    def _note(self, milestone: Milestone) -> None:
        self._seen.append(milestone)
        self._tell(milestone)

    def _wait(self, until: Callable[[], bool], within_s: float) -> bool:
        limit = time.monotonic() + within_s
        while not until():
            if time.monotonic() > limit:
                return False
            self._turn()
        return True

    def _at_tier(self, service_tier: int) -> set[tuple[str, str]]:
        return {
            (m.fields["patient"], m.fields["rule"])
            for m in self._seen
            if m.name == "notified" and m.fields["service_tier"] == service_tier
        }

    def _decide(self, wanted: Expectation, verdict: Verdict) -> None:
        """Decide each episode that reached tier 3, through the console: the fever stays home, the others are referred.

        The hospital's desk takes them, the vehicle leaves, they arrive.
        """
        expert = Expert(self._stage.console, key="wang", password="hearth-wang-demo")
        desk = Expert(self._stage.console, key="gao", password="hearth-gao-demo")
        cars = Expert(self._stage.console, key="tang", password="hearth-tang-demo")
        episodes = {
            (m.fields["patient"], m.fields["rule"]): m.fields["episode"]
            for m in self._seen
            if m.name == "notified" and m.fields["service_tier"] == 3
        }
        for pair in sorted(wanted.reach_tier3 & episodes.keys()):
            expert.acknowledge(episodes[pair])
            if pair[1] in UNHURRIED:
                expert.decide(episodes[pair], "stay_home", "seen by the county team")
                continue
            referral_id = expert.refer(episodes[pair], severity="severe", driver="infection")
            for who, event in ((desk, "accept"), (cars, "depart"), (desk, "arrive")):
                who.say(referral_id, event)
        wanted_settled = {episodes[pair] for pair in wanted.reach_tier3 & episodes.keys()}
        if not self._wait(lambda: wanted_settled <= self._settled(), 10):
            verdict.complaints.append(f"episodes {sorted(wanted_settled - self._settled())} are not settled")

    def _settled(self) -> set[int]:
        """Give the episodes whose patient stays home by the county's decision, or has arrived in a hospital."""
        return {
            m.fields["episode"]
            for m in self._seen
            if (m.name == "decided" and m.fields["decision"] == "stay_home")
            or (m.name == "referral" and m.fields["stage"] == "received")
        }

    def _judge(self, wanted: Expectation, verdict: Verdict, *, chaos: bool) -> None:
        raised = [(m.fields["patient"], m.fields["rule"]) for m in self._seen if m.name == "episode_raised"]
        clinical = [pair for pair in raised if not pair[1].startswith("TECH-")]
        verdict.complaints += [f"{pair} was not raised" for pair in sorted(wanted.raised - set(clinical))]
        verdict.complaints += [f"{pair} raised for a well patient" for pair in clinical if pair[0] in wanted.quiet]
        verdict.complaints += [f"{pair} raised twice" for pair in sorted(set(clinical)) if clinical.count(pair) > 1]
        for pair in sorted(wanted.reach_tier3):
            first = {tier: min((m.t_s for m in self._seen if _tells(m, pair, tier)), default=None) for tier in (2, 3)}
            if first[2] is None or first[3] is None or first[2] >= first[3]:
                verdict.complaints.append(f"{pair}: tier 2 was told at {first[2]}, tier 3 at {first[3]}")
        repeats = {key: count for key, count in self._watch.keys.items() if count > 1}
        if len(repeats) > (len(KILLABLE) if chaos else 0):
            verdict.complaints.append(f"{len(repeats)} notices arrived more than once")

    def _add_up(self, verdict: Verdict, *, chaos: bool) -> None:
        self._stage.hush()
        drained = self._wait(lambda: waiting(self._stage.outbox) == 0, DRAIN_S)
        if not drained:
            left = waiting(self._stage.outbox)
            verdict.complaints.append(f"{left} readings were not acknowledged within {DRAIN_S:.0f} s")
        log = self._stage.folder / "log" / "devices.log"
        verdict.summary = summarise(self._stage.dsn, self._stage.outbox, log)
        if not verdict.summary.adds_up:
            verdict.complaints.append("the summary does not add up")
        if not chaos and not verdict.summary.is_complete:
            verdict.complaints.append("not every value the devices sent is stored")


def _tells(milestone: Milestone, pair: tuple[str, str], service_tier: int) -> bool:
    fields = milestone.fields
    return (
        milestone.name == "notified"
        and (fields["patient"], fields["rule"]) == pair
        and fields["service_tier"] == service_tier
    )


def kill_each(stage: Stage, *, quiet: timedelta = timedelta(seconds=8)) -> Iterator[Milestone]:
    """SIGKILL each process once, one after another, and wait for it to come back; yields what it did.

    Those that carry the escalation are killed just before a deadline, so that it falls due while they are dead.
    """
    quiet_until = time.monotonic() + quiet.total_seconds()
    for name in KILLABLE:
        while time.monotonic() < quiet_until or (name in ESCALATING and not _deadline_is_near(stage)):
            yield Milestone(t_s=stage.t_s(), name="waiting", fields={})
        process = stage.postgres if name == "postgres" else name
        before = stage.supervisor.restarts(process)
        pid = stage.supervisor.kill(process)
        yield Milestone(t_s=stage.t_s(), name="killed", fields={"process": name, "pid": pid})
        stage.supervisor.wait_for_restart(process, before)
        yield Milestone(
            t_s=stage.t_s(),
            name="restarted",
            fields={"process": name, "pid": stage.supervisor.pid(process)},
        )
        quiet_until = time.monotonic() + quiet.total_seconds()


def _deadline_is_near(stage: Stage) -> bool:
    soon = stage.now() + timedelta(seconds=2 * POLL_S * stage.clock.speed)
    try:
        with psycopg.connect(stage.dsn, connect_timeout=3) as connection:
            row = connection.execute(_DEADLINE_NEAR, {"now": stage.now(), "soon": soon}).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and bool(row[0])
