"""What is rehearsed: each scenario raises alarms, lets people act or not, and says what must have come of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from alerting.cases.transfer import Event, Refusal
from alerting.raising import Basis, Raise
from alerting.recording import record_raises
from hearthwatch.drill.killing import DUE_S, prove
from hearthwatch.drill.stage import MINUTE, SEVERE, Line, Stage
from ingest.feed import PARTITION_COUNT

STORM = 5000

Expected = tuple[float, str, str]
"""(t_s, event, to or the beginning of its detail) that must be in the timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One drill. `expected` lines must be there; `check` gives complaints that lines alone do not show."""

    does: str
    play: Callable[[Stage], None]
    expected: tuple[Expected, ...]
    check: Callable[[Stage], list[str]] = lambda _stage: []


def _nobody_answers(stage: Stage) -> None:
    stage.alarm("p1", "SPO2-REFER")
    stage.until(22 * MINUTE)


def _acknowledged_without_decision(stage: Stage) -> None:
    episode = stage.alarm("p1", "SPO2-REFER")
    stage.until(MINUTE)
    stage.acknowledge(episode, "li")
    stage.until(2 * MINUTE)
    stage.acknowledge(episode, "wang")
    stage.until(23 * MINUTE)


def _rejected_twice(stage: Stage) -> None:
    episode = stage.alarm("p1", "SPO2-REFER")
    stage.acknowledge(episode, "wang")
    stage.until(MINUTE)
    referral = stage.refer(episode, "wang", SEVERE)
    stage.until(3 * MINUTE)
    stage.say(referral, "gao", Event.REJECT, Refusal.NO_BED)
    stage.until(5 * MINUTE)
    stage.say(referral, "lin", Event.REJECT, Refusal.NO_STAFF)
    stage.until(16 * MINUTE)


def _silent_hospitals(stage: Stage) -> None:
    episode = stage.alarm("p1", "SPO2-REFER")
    stage.acknowledge(episode, "wang")
    stage.refer(episode, "wang", SEVERE)
    stage.until(36 * MINUTE)


def _there_and_back(stage: Stage) -> None:
    episode = stage.alarm("p1", "SPO2-REFER")
    stage.acknowledge(episode, "wang")
    referral = stage.refer(episode, "wang", SEVERE)
    for minute, person, event in (
        (4, "gao", Event.ACCEPT),
        (15, "tang", Event.DEPART),
        (40, "gao", Event.ARRIVE),
        (70, "gao", Event.ADMIT),
        (90, "gao", Event.DISCHARGE),
        (120, "li", Event.RETURN),
    ):
        stage.until(minute * MINUTE)
        stage.say(referral, person, event)


def _roster_hole(stage: Stage) -> None:
    stage.connection.execute("DELETE FROM duty WHERE duty_role = 'county_expert'")
    stage.alarm("p1", "SPO2-REFER")
    stage.until(7 * MINUTE)


def _red_patient(stage: Stage) -> None:
    stage.alarm("p7", "SPO2-CRIT")
    stage.until(4 * MINUTE)


def _worse_while_acknowledged(stage: Stage) -> None:
    episode = stage.alarm("p1", "SPO2-REFER")
    stage.until(MINUTE)
    stage.acknowledge(episode, "wang")
    stage.until(5 * MINUTE)
    stage.alarm("p1", "SPO2-CRIT")
    stage.until(9 * MINUTE)


def _worker_away(stage: Stage) -> None:
    """Nobody ticks for an hour, as if the worker was dead; then it comes back."""
    stage.alarm("p1", "SPO2-REFER")
    stage.now += timedelta(hours=1)
    stage.until(60 * MINUTE + 1)


def _storm(stage: Stage) -> None:
    stage.connection.execute(
        "INSERT INTO patient (key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,"
        " service_tier) SELECT 'storm-' || n, 'S', 'S', 'bed ' || n, '1950-01-01', 'female', organisation_id,"
        " family_doctor_id, 'yellow', 2 FROM patient, generate_series(1, %s) n WHERE key = 'p1'",
        (STORM,),
    )
    rows = stage.connection.execute("SELECT patient_id FROM patient WHERE key LIKE 'storm-%'").fetchall()
    desk, begun = stage.desk(), time.monotonic()
    for partition in range(PARTITION_COUNT):
        with stage.connection.transaction():
            record_raises(
                desk, [_fall(stage, row.patient_id) for row in rows if row.patient_id % PARTITION_COUNT == partition]
            )
    took_s = time.monotonic() - begun
    count = stage.connection.execute(
        "SELECT count(*) AS episodes, count(DISTINCT patient_id) AS patients FROM episode"
    ).fetchone()
    notices = stage.connection.execute("SELECT audience, count(*) AS n FROM notice GROUP BY 1 ORDER BY 1").fetchall()
    assert count is not None
    stage.lines.append(_summary("raised", f"{count.episodes} episodes of {count.patients} patients"))
    stage.lines += [_summary("notified", f"{row.audience}: {row.n}") for row in notices]
    stage.lines.append(_summary("took", f"{took_s:.1f} s of the machine's time"))


def _fall(stage: Stage, patient_id: int) -> Raise:
    return Raise(
        patient_id=patient_id,
        rule="SPO2-REFER",
        basis=Basis.SUSTAINED,
        since=stage.now,
        raised_at=stage.now,
        key=f"storm:{patient_id}",
    )


def _worker_killed(stage: Stage) -> None:
    def tell(said: str) -> None:
        stage.lines.append(replace(_summary("killed", said), t_s=DUE_S))

    proof = prove(stage.server, tell=tell)
    stage.lines += [replace(_summary("wrong", each), t_s=DUE_S) for each in proof.wrong]
    figures = proof.as_document()
    stage.lines += [_summary("found", f"{name}: {figures[name]}") for name in figures if name != "what_is_wrong"]


def _killed_check(stage: Stage) -> list[str]:
    return [line.detail for line in stage.lines if line.event == "wrong"]


def _summary(event: str, detail: str) -> Line:
    return Line(t_s=0.0, event=event, service_tier=None, to="", episode=0, patient="", detail=detail)


def _storm_check(stage: Stage) -> list[str]:
    row = stage.connection.execute(
        "SELECT count(*) FILTER (WHERE state = 'unack' AND priority = 'high') AS open,"
        " (SELECT max(n) FROM (SELECT count(*) AS n FROM notice GROUP BY episode_id, recipient, channel_url) x)"
        " AS pages FROM episode"
    ).fetchone()
    assert row is not None
    complaints = [] if row.open == STORM else [f"{row.open} of {STORM} high alarms are open"]
    return complaints + ([] if row.pages == 1 else [f"somebody was paged {row.pages} times for one alarm"])


SCENARIOS: Mapping[str, Scenario] = {
    "nobody-answers": Scenario(
        does="tier 2 at 0, duty at 3 min, tier 3 at 6 min, exhausted at 11 min and every 5 min from then on",
        play=_nobody_answers,
        expected=(
            (0, "notified", "李医生"),
            (180, "notified", "赵医生(镇值班)"),
            (360, "notified", "王主任(县专家组)"),
            (360, "notified", "周医生(县专家组)"),
            (660, "deadline", "step 3: exhausted"),
            (660, "notified", "运维值班"),
            (960, "notified", "运维值班"),
            (1260, "notified", "运维值班"),
        ),
    ),
    "acknowledged-without-decision": Scenario(
        does="the family doctor's word pages the county; the county's without a decision is exhausted after 15 min",
        play=_acknowledged_without_decision,
        expected=(
            (60, "acknowledged", "李医生"),
            (60, "notified", "王主任(县专家组)"),
            (120, "acknowledged", "王主任(县专家组)"),
            (1020, "deadline", "step 3: exhausted"),
            (1020, "notified", "李医生"),
            (1320, "notified", "李医生"),
        ),
    ),
    "rejected-twice": Scenario(
        does="a refusal goes to the next hospital and to the health authority; when none is left, the county is paged",
        play=_rejected_twice,
        expected=(
            (60, "notified", "高护士长(二院转诊台)"),
            (180, "referral", "reject: offered"),
            (180, "notified", "林医生(县医院转诊台)"),
            (180, "notified", "何科长(县卫健局)"),
            (300, "referral", "reject: offered"),
            (900, "referral", "deadline: unplaced"),
            (900, "notified", "王主任(县专家组)"),
        ),
    ),
    "silent-hospitals": Scenario(
        does="no answer in 10 min is a refusal; all silent: unplaced, exhausted, and again every 5 min",
        play=_silent_hospitals,
        expected=(
            (0, "notified", "高护士长(二院转诊台)"),
            (600, "referral", "deadline: offered"),
            (600, "notified", "林医生(县医院转诊台)"),
            (1800, "referral", "deadline: unplaced"),
            (2100, "referral_stuck", ""),
            (2100, "notified", "李医生"),
        ),
    ),
    "there-and-back": Scenario(
        does="accepted, left, arrived, admitted, discharged, seen at home: the loop is closed",
        play=_there_and_back,
        expected=(
            (0, "call_120", "王主任(县专家组)"),
            (240, "referral", "accept: accepted"),
            (240, "notified", "柳庄-01"),
            (900, "referral", "depart: in_transit"),
            (2400, "referral", "arrive: received"),
            (4200, "referral", "admit: admitted"),
            (5400, "referral", "discharge: returning"),
            (7200, "referral", "return: ended"),
            (7200, "came_home", "李医生"),
        ),
    ),
    "roster-hole": Scenario(
        does="no county expert on duty: it is said, and operations are paged instead",
        play=_roster_hole,
        expected=((360, "nobody_on_duty", "county_expert"), (360, "notified", "运维值班")),
    ),
    "red-patient": Scenario(
        does="a patient of red risk reaches the county at once",
        play=_red_patient,
        expected=((0, "notified", "李医生"), (0, "notified", "王主任(县专家组)")),
    ),
    "worse-while-acknowledged": Scenario(
        does="an acknowledged alarm that becomes critical alarms from the beginning",
        play=_worse_while_acknowledged,
        expected=(
            (60, "acknowledged", "王主任(县专家组)"),
            (300, "raised_anew", "SPO2-CRIT"),
            (300, "notified", "李医生"),
            (480, "notified", "赵医生(镇值班)"),
        ),
    ),
    "worker-away": Scenario(
        does="nobody ticks for an hour: all that was missed fires at once, in order, then repeats from then on",
        play=_worker_away,
        expected=(
            (3601, "deadline", "step 1: unack"),
            (3601, "deadline", "step 2: t3_unack"),
            (3601, "deadline", "step 3: exhausted"),
        ),
    ),
    "storm": Scenario(
        does=f"{STORM:,} patients at once: every high alarm is open, nobody is paged twice for one",
        play=_storm,
        expected=((0, "raised", f"{STORM} episodes of {STORM} patients"),),
        check=_storm_check,
    ),
    "worker-killed": Scenario(
        does="SIGKILL at every exchange of tick and delivery with the database: nothing is lost, nothing fires twice",
        play=_worker_killed,
        expected=((0, "found", "wrong: 0"),),
        check=_killed_check,
    ),
}


def complaints(scenario: Scenario, stage: Stage) -> list[str]:
    """Say what of the expected is missing."""
    missing = [
        f"at {t_s:g} s: {event} {what}"
        for t_s, event, what in scenario.expected
        if not any(
            line.t_s == t_s and line.event == event and (line.to == what or line.detail.startswith(what))
            for line in stage.lines
        )
    ]
    return missing + scenario.check(stage)
