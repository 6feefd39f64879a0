"""What patients are held to stands in the log: in order with the readings, through crash, snapshot and rebuild."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from alerting.desk import Desk
from alerting.judging.held import LimitsEventError, from_line, lines_of, to_line, to_payload
from alerting.judging.holding import REBUILD_SPAN
from alerting.judging.limits import Limits, save_baseline
from alerting.judging.settling import Settler
from alerting.orders import (
    BadLimit,
    BadPeriod,
    NewOrder,
    NobodyThere,
    NoReason,
    NotAllowed,
    OrderError,
    order_limit,
    revoke_order,
)
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.patient import PatientFacts
from tests.alerting.streams import FALL_S, profile
from tests.alerting.ward import T0, Ward
from vitals.sustained import Limit

WELL, COPD, CRITICAL = [9700], [8900], [8200]
UNTIL = T0 + timedelta(days=90)
ORDER = NewOrder(
    patient="p1", rule="SPO2-REFER", limit=88, clear_at=None, reason="COPD, target 88-92", until=UNTIL, by="li"
)
CRITICAL_ORDER = replace(ORDER, rule="SPO2-CRIT", limit=83)


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """A ward on TimescaleDB alone: adults of no group, and a doctor for each of them."""
    with Ward(database) as made:
        yield made


def say(ward: Ward, limits: Limits | None = None) -> int:
    """Let the duty compare once, as a new process or as one that ran before."""
    return (limits or Limits()).turn(ward.desk)


def give(ward: Ward, *orders: NewOrder) -> list[int]:
    return [order_limit(ward.connection, each, profile=profile(), now=ward.now) for each in orders]


def refer_and_critical(ward: Ward) -> None:
    """Order lower limits for patient 1, and let the engine come past them."""
    give(ward, CRITICAL_ORDER, ORDER)
    assert say(ward) == 1
    ward.judge.catch_up(ward.desk)


def raised(ward: Ward) -> list[tuple[int, str]]:
    return [(e.patient_id, e.rule) for e in ward.episodes() if not e.technical]


def logged(ward: Ward) -> list[dict[str, Any]]:
    rows = ward.connection.execute(
        "SELECT payload FROM intake_log WHERE kind = 'limits' ORDER BY received_at, batch_id"
    )
    return [json.loads(line) for row in rows.fetchall() for line in lines_of(row.payload)]


def enter(ward: Ward, change: str, *, patient: int) -> None:
    """Change a patient in the registry, as loading does."""
    statement = f"UPDATE patient SET {change} WHERE patient_id = {patient}"  # noqa: S608 - the test's own words
    ward.connection.execute(statement.encode())
    ward.connection.execute("UPDATE registry_version SET version = version + 1")


def test_adults_of_no_group_need_no_event(ward: Ward) -> None:
    assert say(ward) == 0
    assert logged(ward) == []


def test_an_order_holds_from_its_place_in_the_log_on(ward: Ward) -> None:
    refer_and_critical(ward)
    ward.spo2(1, COPD * 900)
    ward.spo2(2, COPD * 900)
    assert raised(ward) == [(2, "SPO2-REFER")]
    ward.spo2(1, [8700] * 600)
    assert raised(ward) == [(2, "SPO2-REFER"), (1, "SPO2-REFER")]
    evidence = ward.episodes()[-1].evidence
    assert (evidence["below"], evidence["profile"]) == (88.0, "standard-adult+order")
    assert evidence["profile_hash"] == logged(ward)[-1]["hash"]
    own = ward.episodes()[0].evidence
    assert (own["below"], own["profile"], own["profile_hash"]) == (93.0, "standard-adult", profile().profile_hash)
    assert {"window_s", "coverage_percent", "valid_samples", "samples_below"} <= own.keys()


def test_readings_before_the_order_are_judged_without_it(ward: Ward) -> None:
    ward.spo2(1, COPD * 400, judged=False)
    give(ward, CRITICAL_ORDER, ORDER)
    say(ward)
    ward.spo2(1, COPD * 400, judged=False)
    ward.judge.catch_up(ward.desk)
    (episode,) = ward.episodes()
    assert episode.raised_at < T0 + timedelta(seconds=400)


@pytest.mark.parametrize("snapshot", ["fresh", "older", "none", "of other rules"])
def test_a_restart_holds_patients_to_what_the_log_said(ward: Ward, snapshot: str) -> None:
    if snapshot == "older":
        ward.spo2(1, WELL * 60)
        ward.judge.save_snapshots(ward.desk())
    refer_and_critical(ward)
    ward.spo2(1, COPD * 200)
    if snapshot == "fresh":
        ward.judge.save_snapshots(ward.desk())
    if snapshot == "of other rules":
        ward.judge.save_snapshots(ward.desk())
        ward.connection.execute("UPDATE engine_snapshot SET rules_hash = 'of another profile'")
    ward.restarted()
    ward.spo2(1, COPD * 600)
    assert raised(ward) == []
    ward.restarted()
    ward.spo2(1, CRITICAL * FALL_S)
    assert raised(ward) == [(1, "SPO2-CRIT")]
    assert ward.episodes()[0].evidence["profile"] == "standard-adult+order"


def test_a_rebuild_counts_each_reading_by_the_limits_of_its_time(ward: Ward) -> None:
    """The window holds readings of both sides of the order; without a snapshot the first are counted as they were."""
    ward.spo2(1, COPD * 270)
    refer_and_critical(ward)
    ward.spo2(1, COPD * 20)
    counted = counts(ward)
    ward.restarted()
    assert counts(ward) == counted
    assert sum(counted) > 270


def counts(ward: Ward) -> list[int]:
    """All of patient 1's counts of breaches, as the engine has them in memory."""
    tables = ward.judge._owned[1].state.tables.values()
    return [count for table in tables if len(table) for count in table.tail[0].tolist()]


def test_late_readings_are_judged_by_the_limits_that_hold(ward: Ward) -> None:
    refer_and_critical(ward)
    ward.spo2(1, WELL * 30)
    ward.now += timedelta(seconds=900)
    ward.spo2(1, COPD * 2)
    ward.spo2(1, COPD * 800, begin=T0 + timedelta(seconds=60))
    assert raised(ward) == []


def test_what_was_said_is_not_said_again_whoever_looks(ward: Ward) -> None:
    limits = Limits()
    give(ward, CRITICAL_ORDER, ORDER)
    assert [say(ward, limits), say(ward, limits), say(ward), say(ward)] == [1, 0, 0, 0]
    assert len(logged(ward)) == 1


def test_an_order_that_ends_or_is_revoked_gives_the_profiles_own_limits_back(ward: Ward) -> None:
    limits = Limits()
    _, number = give(ward, CRITICAL_ORDER, ORDER)
    say(ward, limits)
    revoke_order(ward.connection, number, by="wang", profile=profile(), now=ward.now)
    assert say(ward, limits) == 1
    assert logged(ward)[-1]["limits"]["SPO2-REFER"] == [9300, 9400]
    ward.now = UNTIL + timedelta(seconds=1)
    assert say(ward, limits) == 1
    assert logged(ward)[-1]["limits"]["SPO2-CRIT"] == [8801, 8900]
    assert [line["profile"] for line in logged(ward)] == ["standard-adult+order"] * 2 + ["standard-adult"]
    ward.judge.catch_up(ward.desk)
    ward.spo2(1, COPD * 600)
    assert raised(ward) == [(1, "SPO2-REFER")]


def test_a_birthday_and_a_group_change_what_holds(ward: Ward) -> None:
    limits = Limits()
    enter(ward, "born_on = '2010-03-03'", patient=2)
    assert say(ward, limits) == 1
    before = logged(ward)[-1]
    assert any(why.startswith("age: ") for why in before["why"])
    ages = [v.applies.age_until_days for v in profile().variants if v.name in before["profile"]]
    ward.now = datetime(2010, 3, 3, tzinfo=UTC) + timedelta(days=max(age for age in ages if age is not None))
    assert say(ward, limits) == 1
    assert logged(ward)[-1]["profile"] != before["profile"]


def test_who_awaits_a_doctors_limits_is_named_until_they_are_there(ward: Ward) -> None:
    limits = Limits()
    enter(ward, "special_groups = '{home_oxygen}'", patient=1)
    assert say(ward, limits) == 1
    assert logged(ward)[-1]["awaiting"] == ["SPO2-REFER"]
    give(ward, replace(CRITICAL_ORDER, limit=82), replace(ORDER, limit=86))
    assert say(ward, limits) == 1
    assert logged(ward)[-1]["awaiting"] == []


def test_a_baseline_makes_a_limit_and_moves_it_only_by_steps(ward: Ward) -> None:
    limits = Limits()
    step = profile().baseline.limit_step
    for baseline, events in ((9800, 1), (9800 - step + 1, 0), (9800 - step, 1), (9800 - step + 10, 0), (None, 1)):
        save_baseline(ward.desk(), 1, baseline)
        assert say(ward, limits) == events, baseline
    drops = [line["limits"]["SPO2-DROP"][0] for line in logged(ward)]
    assert drops == [9401, 9401 - step, -32768]


def test_a_changed_baseline_lets_nobody_else_be_compared(ward: Ward) -> None:
    limits = Limits()
    say(ward, limits)
    ward.connection.execute("UPDATE patient SET special_groups = '{pregnant}' WHERE patient_id = 2")
    save_baseline(ward.desk(), 1, 9900)
    assert say(ward, limits) == 1
    assert [line["patient"] for line in logged(ward)] == [1]
    save_baseline(ward.desk(), 1, 9900)
    assert ward.connection.execute("SELECT count(*) AS n FROM limits_dirty").fetchone() == (0,)
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    assert say(ward, limits) == 1
    assert [line["patient"] for line in logged(ward)] == [1, 2]


def test_the_evidence_of_a_drop_names_the_baseline(ward: Ward) -> None:
    save_baseline(ward.desk(), 1, 9900)
    say(ward)
    ward.spo2(1, [9450] * 1000)
    (drop,) = [e for e in ward.episodes() if e.rule == "SPO2-DROP"]
    assert (drop.evidence["baseline"], drop.evidence["below"]) == (99.0, 95.0)


def test_a_new_profile_says_anew_what_the_old_one_said(ward: Ward) -> None:
    give(ward, CRITICAL_ORDER, ORDER)
    say(ward)
    other = parse_profile(standard_adult().replace("share_percent = 80", "share_percent = 81"))
    ward.desk = lambda: Desk(connection=ward.connection, profile=other, now=ward.now)  # type: ignore[method-assign]
    assert say(ward) == 1
    assert [line["hash"] for line in logged(ward)] == [logged(ward)[0]["hash"], logged(ward)[1]["hash"]]
    assert logged(ward)[0]["hash"] != logged(ward)[1]["hash"]


def test_many_patients_are_said_in_bounded_batches(ward: Ward) -> None:
    ward.connection.execute(
        "INSERT INTO patient (patient_id, key, name, initials, born_on, sex, organisation_id, family_doctor_id,"
        " risk_colour, service_tier, special_groups)"
        " SELECT n, 'q' || n, 'Q', 'Q', '1990-01-01', 'female', 2, 1, 'red', 2, '{pregnant}'"
        " FROM generate_series(101, 1300) n"
    )
    assert say(ward) == 1200
    batches = ward.connection.execute("SELECT partition, count(*) AS n FROM intake_log GROUP BY partition").fetchall()
    assert {(row.partition, row.n) for row in batches} == {(partition, 3) for partition in range(32)}
    ward.judge.catch_up(ward.desk)
    assert ward.connection.execute("SELECT count(*) AS n FROM engine_limits").fetchone() == (1200,)
    assert ward.judge._owned[5].state.held[101].name == "standard-adult+pregnant"


def test_what_no_rebuild_needs_is_forgotten(ward: Ward) -> None:
    limits = Limits()
    for number in range(6):
        ward.spo2(1, WELL * 60)
        save_baseline(ward.desk(), 1, 9900 - 100 * number)
        say(ward, limits)
        ward.now += REBUILD_SPAN
    ward.judge.catch_up(ward.desk)
    kept = ward.connection.execute("SELECT batch_id FROM engine_limits ORDER BY batch_id").fetchall()
    assert [row.batch_id for row in kept] == [10, 12]


@pytest.mark.parametrize(
    ("change", "error", "complaint"),
    [
        ({"by": "duty"}, NotAllowed, "'duty' is duty: only county_expert and family_doctor order limits"),
        ({"by": "nobody"}, NobodyThere, "person 'nobody' is not in the registry"),
        ({"patient": "p99"}, NobodyThere, "patient 'p99' is not in the registry"),
        ({"rule": "SPO2-REFUR"}, BadLimit, "'SPO2-REFUR' is no rule with a limit"),
        ({"limit": 87.0}, BadLimit, "SPO2-REFER: limit below 87"),
        ({"limit": 40.0}, BadLimit, "below 70"),
        ({"limit": 8800.0}, BadLimit, "8800"),
        ({"limit": 90.0, "clear_at": 89.0}, BadLimit, "inside the limit"),
        ({"until": T0}, BadPeriod, "2026-03-01 12:00"),
        ({"until": T0 + timedelta(days=366)}, BadPeriod, "by 2027-03-01 12:00"),
        ({"reason": "  "}, NoReason, "1 to 2000 characters"),
    ],
)
def test_an_order_that_can_not_be_is_refused_by_name(
    ward: Ward, change: dict[str, Any], error: type[OrderError], complaint: str
) -> None:
    with pytest.raises(error) as refused:
        give(ward, replace(ORDER, **change))
    assert complaint.removeprefix("SPO2-REFER: limit below 87") in str(refused.value)
    assert ward.connection.execute("SELECT count(*) AS n FROM limit_order").fetchone() == (0,)


def test_an_order_is_a_record_and_can_only_be_revoked_once(ward: Ward) -> None:
    (number,) = give(ward, CRITICAL_ORDER)
    for statement in (
        "DELETE FROM limit_order",
        "UPDATE limit_order SET breach = 1",
        "UPDATE limit_order SET valid_until = valid_until + interval '1 day'",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="it can be revoked once, not changed or deleted"):
            ward.connection.execute(statement)
    revoke_order(ward.connection, number, by="li", profile=profile(), now=ward.now)
    with pytest.raises(BadPeriod, match=f"order {number} ended at"):
        revoke_order(ward.connection, number, by="li", profile=profile(), now=ward.now)
    with pytest.raises(psycopg.errors.RaiseException):
        ward.connection.execute("UPDATE limit_order SET revoked_at = NULL, revoked_by = NULL")


def test_orders_that_another_profile_makes_impossible_are_not_held_to_and_said_loudly(ward: Ward) -> None:
    give(ward, CRITICAL_ORDER, ORDER)
    enter(ward, "special_groups = '{hypercapnic}'", patient=1)
    say(ward)
    assert logged(ward)[-1]["profile"].endswith("+order")
    revoke_order(ward.connection, 1, by="li", profile=profile(), now=ward.now)
    enter(ward, "special_groups = '{}'", patient=1)
    say(ward)
    assert logged(ward)[-1]["limits"]["SPO2-REFER"] == [9300, 9400]
    assert any(why.startswith("order does not hold: SPO2-REFER") for why in logged(ward)[-1]["why"])
    assert logged(ward)[-1]["void"] == ["SPO2-REFER"]


def test_an_order_that_conflicts_falls_alone_and_the_others_hold(ward: Ward) -> None:
    fast = replace(ORDER, rule="HR-HIGH", limit=150)
    give(ward, CRITICAL_ORDER, ORDER, fast)
    revoke_order(ward.connection, 1, by="li", profile=profile(), now=ward.now)
    say(ward)
    line = logged(ward)[-1]
    assert (line["limits"]["HR-HIGH"], line["limits"]["SPO2-REFER"]) == ([14999, 14500], [9300, 9400])
    assert line["void"] == ["SPO2-REFER"]
    assert "order 3: HR-HIGH" in line["why"]
    assert not any(why.startswith("order 2:") for why in line["why"])
    assert line["profile"] == "standard-adult+order"


def test_of_two_orders_that_conflict_the_newer_falls() -> None:
    orders = {"HR-FAST": Limit(breach=12499, clear_at=12000), "HR-HIGH": Limit(breach=11999, clear_at=11500)}
    for newer, older in (("HR-FAST", "HR-HIGH"), ("HR-HIGH", "HR-FAST")):
        facts = PatientFacts(born_on=date(1950, 1, 1), orders=orders, order_numbers={newer: 9, older: 4})
        held, wrong = Settler(profile()).held(facts, T0.date())
        assert list(wrong.orders) == [newer]
        assert held.by_rule[older] == orders[older]


@pytest.mark.parametrize(
    ("rule", "limit"), [("HR-HIGH", 290), ("HR-LOW", 21), ("RR-SEVERE", 90), ("FEVER-HYPER", 44), ("SPO2-CRIT", 60)]
)
def test_an_order_that_would_silence_its_rule_is_refused_and_does_not_hold(ward: Ward, rule: str, limit: float) -> None:
    with pytest.raises(BadLimit, match="would silence the rule"):
        give(ward, replace(ORDER, rule=rule, limit=limit))
    breach, clear_at = round(limit * 100), round(limit * 100) + (10 if profile().limits[rule].low else -10)
    facts = PatientFacts(born_on=date(1950, 1, 1), orders={rule: Limit(breach=breach, clear_at=clear_at)})
    held, wrong = Settler(profile()).held(facts, T0.date())
    assert (list(wrong.orders), held.by_rule[rule]) == ([rule], profile().limits[rule].limit)


def test_the_command_line_orders_shows_and_revokes(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", ward.dsn)
    monkeypatch.setenv("HEARTHWATCH_ALERTING_SITE_ALTITUDE_M", "50")
    until = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%d")
    common = ["--patient", "p1", "--reason", "COPD\u2028two lines", "--until", until, "--by", "li"]
    assert run("order", "--rule", "SPO2-CRIT", "--limit", "83", *common) == (0, "order 1\n")
    code, said = run("order", "--rule", "SPO2-REFER", "--limit", "70", *common)
    assert (code, "lies beyond that of SPO2-CRIT" in said) == (2, True)
    ward.now = datetime.now(UTC)
    say(ward)
    assert json.loads(run("limits", "--patient", "p1", "--json")[1])["waits_for_the_engine"]
    ward.judge.catch_up(ward.desk)
    shown = json.loads(run("limits", "--patient", "p1", "--json")[1])
    assert (shown["waits_for_the_engine"], shown["orders"][0]["ordered_by_name"]) == (False, "李医生")
    assert "order 1: SPO2-CRIT" in shown["held_since_why"]
    assert run("revoke", "1", "--by", "wang")[0] == 0
    assert "revoked by 王主任" in run("limits", "--patient", "p1")[1].replace("\n", " ")
    assert run("limits", "--patient", "p99")[0] == 2


def run(*arguments: str) -> tuple[int, str]:
    from alerting.commands import app

    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
    return result.exit_code, result.output


def test_a_line_is_read_as_it_was_written_and_anything_else_is_refused() -> None:
    line = '{"awaiting":[],"baseline":null,"hash":"h","limits":{"A":[1,2]},"patient":3,"profile":"p","why":["\u2028"]}'
    assert to_line(from_line(line)) == line
    assert list(lines_of(to_payload([line, line]))) == [line, line]
    for wrong in ("", "{}", "[]", '{"patient": "x"}', line.replace("[1,2]", "[1]"), line[:-1]):
        with pytest.raises(LimitsEventError):
            from_line(wrong)
