"""What was refused is judged again: lifted once, in order, into all its places; what can not be stays."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingest.commands import app
from ingest.feed import from_payload
from ingest.judging.decode import read_packed
from ingest.judging.letters import quarantined
from ingest.judging.refusals import instant
from ingest.judging.rejection import Rejection
from ingest.judging.screening import Incoming
from ingest.rejected.lift_waiting import LOOK_AGAIN, LiftWaiting
from ingest.rejected.lifting import Lifter, Verdict
from ingest.store.storing import quarantine
from tests.ingest.county import LENT, NOW, NOW_MS, PULSE, SPO2, UNBOUND, Home, connect, put, refused, rows_of
from vitals.quality import Reason

County = psycopg.Connection[Any]
LATER_MS = NOW_MS + 3_600_000
STRANGER = "C0:00:00:00:00:77"
LYING = "SELECT reason, readings, lifted FROM rejected ORDER BY rejected_id"


def bind(county: County, device_id: int = 19, patient_id: int = 1, valid: str = "[2020-01-01 00:00+00,)") -> None:
    county.execute(
        "INSERT INTO binding (device_id, patient_id, valid) VALUES (%s, %s, %s)", [device_id, patient_id, valid]
    )
    moved(county)


def moved(county: County) -> None:
    county.execute("UPDATE registry_version SET version = version + 1")


def lift(county: County, *, dry_run: bool = False, now_ms: int = LATER_MS) -> list[Verdict]:
    """Judge all again that lies there."""
    found = rows_of(
        county, "SELECT rejected_id, reason FROM rejected WHERE lifted_at IS NULL OR readings > 0 ORDER BY 1"
    )
    lifter = Lifter(by="the test", retention_days=90, dry_run=dry_run)
    return lifter.lift(county, [(rejected_id, Rejection(reason)) for rejected_id, reason in found], now_ms)


def account(county: County) -> tuple[int, int, int, int]:
    """Give what is taken, in the feed, refused and repeated."""
    fed = sum(len(from_payload(payload)) for (payload,) in rows_of(county, "SELECT payload FROM intake_log"))
    [(taken, repeated, rejected)] = rows_of(
        county,
        "SELECT (SELECT COALESCE(sum(upper(r) - lower(r)), 0)::bigint FROM outbox_account, unnest(taken) r),"
        " (SELECT COALESCE(sum(repeated), 0)::bigint FROM outbox_account),"
        " (SELECT COALESCE(sum(readings), 0)::bigint FROM rejected WHERE outbox_id IS NOT NULL)",
    )
    return taken, fed, rejected, repeated


def adds_up(county: County) -> bool:
    taken, fed, rejected, repeated = account(county)
    return taken == fed + rejected + repeated


def test_readings_of_a_device_bound_later_are_lifted_into_every_place_a_reading_has(county: County) -> None:
    home = Home()
    message = home.message([(0, SPO2, 9500), (0, PULSE, 6000), (1000, SPO2, 8800)], devices=[UNBOUND])
    assert refused(put(county, message)) == {Rejection.UNBOUND_DEVICE: 3}
    bind(county)
    [verdict] = lift(county)
    assert (verdict.stored, verdict.repeated, verdict.refused) == (3, 0, Counter())
    at = [NOW, NOW + timedelta(seconds=1)]
    assert rows_of(county, "SELECT patient_id, device_id, measured_at, received_at, spo2, pulse FROM sample") == [
        (1, 19, at[0], NOW, 9500, 6000),
        (1, 19, at[1], NOW, 8800, None),
    ]
    assert rows_of(county, "SELECT value, measured_at FROM latest WHERE signal = 1") == [(8800, at[1])]
    [(received_at, payload)] = rows_of(county, "SELECT received_at, payload FROM intake_log")
    assert (received_at, [int(each) for each in from_payload(payload)["value"]]) == (
        instant(LATER_MS),
        [9500, 6000, 8800],
    )
    marks = "SELECT reason, readings, lifted, lifted_at, lifted_by, octet_length(payload) FROM rejected"
    assert rows_of(county, marks) == [("unbound_device", 0, 3, instant(LATER_MS), "the test", 0)]
    assert account(county) == (3, 3, 0, 0)
    assert lift(county) == []
    assert put(county, message).duplicates == 3


def test_what_is_still_refused_stays_with_why_and_is_lifted_when_that_is_gone_too(county: County) -> None:
    readings = [(-2_000, SPO2, 9100), (0, SPO2, 9200), (2_000, SPO2, 9300)]
    base = NOW_MS - 10_000
    put(county, Home().message([(t + 2_000, s, v) for t, s, v in readings], devices=[STRANGER], t0_ms=base - 2_000))
    county.execute("INSERT INTO device (device_id, key, kind) VALUES (77, %s, 'oximeter')", [STRANGER])
    moved(county)
    [verdict] = lift(county)
    assert verdict.refused == {Rejection.UNBOUND_DEVICE: 3}
    assert rows_of(county, LYING) == [("unbound_device", 3, 0)]
    [(detail,)] = rows_of(county, "SELECT detail FROM rejected")
    assert "had no patient" in detail
    since = instant(base)
    bind(county, 77, valid=f"[{since},)")
    assert [(each.stored, each.refused) for each in lift(county)] == [(2, {Rejection.UNBOUND_DEVICE: 1})]
    assert rows_of(county, LYING) == [("unbound_device", 1, 2)]
    assert rows_of(county, "SELECT earliest_at = latest_at, first_row, last_row FROM rejected") == [(True, 0, 0)]
    assert lift(county)[0].stored == 0
    county.execute("UPDATE binding SET valid = '[2020-01-01 00:00+00,)' WHERE device_id = 77")
    moved(county)
    assert lift(county)[0].stored == 1
    assert rows_of(county, "SELECT spo2 FROM sample ORDER BY measured_at") == [(9100,), (9200,), (9300,)]
    assert adds_up(county)


def test_readings_of_one_row_that_now_differ_in_why_get_a_row_each(county: County) -> None:
    message = Home().message(
        [(0, SPO2, 9100), (1, 77, 5), (7_200, SPO2, 9300)],
        devices=[LENT], t0_ms=NOW_MS - 7_200_000, synchronised=False, sent_ms=NOW_MS,
        unit_ms=1000,
    )  # fmt: skip
    put(county, message, gateway_id="gw-9")
    county.execute("INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-9', 1)")
    moved(county)
    lift(county)
    assert rows_of(county, LYING) == [("unknown_signal", 1, 1), ("ambiguous", 1, 0)]
    assert rows_of(county, "SELECT gateway_id FROM outbox_owner") == [("gw-9",)]
    assert rows_of(county, "SELECT patient_id, spo2 FROM sample") == [(3, 9300)]
    assert adds_up(county)


def test_an_ambiguous_reading_is_lifted_when_both_times_are_of_one_wearer(county: County) -> None:
    message = Home().message([(0, SPO2, 9100)], devices=[LENT], acquisition=2, t0_ms=NOW_MS - 7_200_000)
    assert refused(put(county, message)) == {Rejection.AMBIGUOUS: 1}
    moved(county)
    assert lift(county)[0].refused == {Rejection.AMBIGUOUS: 1}
    county.execute("DELETE FROM binding WHERE device_id = 18 AND patient_id = 2")
    county.execute("UPDATE binding SET valid = '[2020-01-01 00:00+00,)' WHERE device_id = 18")
    moved(county)
    assert LiftWaiting(retention_days=90)(county, NOW).done == 1
    assert rows_of(county, "SELECT patient_id, spo2 FROM sample") == [(3, 9100)]
    assert adds_up(county)


def test_a_synchronised_clock_and_one_that_was_ahead_are_remembered(county: County) -> None:
    county.execute("UPDATE device SET key = 'away' WHERE device_id = 18")
    moved(county)
    home = Home()
    put(county, home.message([(0, SPO2, 9100)], devices=[LENT], t0_ms=NOW_MS - 7_200_000))
    ahead = [(0, SPO2, 9200), (600, SPO2, 9300)]
    put(county, home.message(ahead, devices=[LENT], t0_ms=NOW_MS, sent_ms=NOW_MS + 600_000, unit_ms=1000))
    county.execute("UPDATE device SET key = %s WHERE device_id = 18", [LENT])
    moved(county)
    assert sum(each.stored for each in lift(county)) == 3
    assert rows_of(county, "SELECT patient_id, spo2 FROM sample ORDER BY spo2") == [(2, 9100), (3, 9200), (3, 9300)]
    words = rows_of(county, "SELECT reason FROM reading WHERE signal = 'spo2' ORDER BY value")
    assert words == [(Reason.NONE,), (Reason.CLOCK_AHEAD,), (Reason.CLOCK_AHEAD,)]


def test_what_equals_what_is_stored_is_repeated_and_what_contradicts_it_a_conflict(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9500), (1, SPO2, 9600)], devices=[UNBOUND]))
    bind(county)
    put(county, Home().message([(0, SPO2, 9500), (1, SPO2, 8000)], devices=[UNBOUND]))
    [verdict] = lift(county)
    assert (verdict.stored, verdict.repeated, verdict.refused) == (0, 1, {Rejection.CONFLICT: 1})
    assert rows_of(county, LYING) == [("conflict", 1, 1)]
    assert rows_of(county, "SELECT sum(repeated) FROM outbox_account") == [(1,)]
    assert adds_up(county)


def test_what_has_become_too_old_to_be_kept_is_not_lifted(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9500)], devices=[UNBOUND]))
    bind(county)
    [verdict] = lift(county, now_ms=NOW_MS + 91 * 86_400_000)
    assert verdict.refused == {Rejection.TOO_OLD: 1}
    assert rows_of(county, "SELECT count(*) FROM sample") == [(0,)]


def test_a_copied_outbox_gains_nothing_by_being_judged_again(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9500)]))
    put(county, home.message([(0, SPO2, 8000)], devices=[LENT], first_row=0), gateway_id="gw-2")
    moved(county)
    assert lift(county)[0].refused == {Rejection.FOREIGN_OUTBOX: 1}
    assert adds_up(county)


def test_a_dry_run_says_what_would_become_and_keeps_nothing(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9500)], devices=[UNBOUND]))
    bind(county)
    assert [each.stored for each in lift(county, dry_run=True)] == [1]
    assert rows_of(county, "SELECT count(*) FROM sample") == [(0,)]
    assert rows_of(county, LYING) == [("unbound_device", 1, 0)]
    assert rows_of(county, "SELECT count(*) FROM intake_log") == [(0,)]


def test_a_message_that_the_database_refused_is_taken_after_the_cause_is_gone(county: County) -> None:
    """It stands for the rows not taken before, and for no more."""
    home = Home()
    put(county, home.message([(0, SPO2, 9500), (1, SPO2, 9600)]))
    payload = home.message([(1, SPO2, 9600), (2, SPO2, 9700), (3, 77, 9800)], first_row=1)
    message = Incoming(gateway_id="gw-1", received_ms=NOW_MS, decoded=read_packed(payload))
    quarantine(county, quarantined(message, payload, "refused"), message, NOW_MS)
    assert rows_of(county, "SELECT own_rows::text FROM rejected") == [("{[2,4)}",)]
    [verdict] = lift(county)
    assert (verdict.stored, verdict.refused) == (1, {Rejection.UNKNOWN_SIGNAL: 1})
    assert rows_of(county, LYING) == [("store_error", 0, 2), ("unknown_signal", 1, 0)]
    assert account(county) == (4, 3, 1, 0)


def test_a_message_whose_rows_are_not_known_any_more_stays(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9500)]))
    payload = home.message([(0, SPO2, 9500), (1, SPO2, 9600)], first_row=0)
    message = Incoming(gateway_id="gw-1", received_ms=NOW_MS, decoded=read_packed(payload))
    quarantine(county, quarantined(message, payload, "refused"), message, NOW_MS)
    county.execute("UPDATE rejected SET own_rows = NULL")
    assert lift(county)[0].unreadable
    assert rows_of(county, LYING) == [("store_error", 1, 0)]


def test_a_message_that_can_be_read_by_now_is_taken_as_any_other(county: County) -> None:
    """Its gateway was never told that it is stored, so some of it may have come in another message."""
    home = Home()
    payload = home.message([(0, SPO2, 9500), (1, SPO2, 9600)])
    put(county, home.message([(0, SPO2, 9500)], first_row=0))
    aside = (
        "INSERT INTO rejected (received_at, source, reason, detail, readings, payload, last_received_at)"
        " VALUES (%s, %s, %s, '', 0, %s, %s)"
    )
    for source, reason in (("gw-1", "unknown_version"), ("hearthwatch/v1/gw-1/readings", "bad_topic")):
        county.execute(aside, [NOW, source, reason, payload, NOW])
    county.execute(aside, [NOW, "gw-1", "bad_crc", b"HW\1\0broken", NOW])
    assert [(each.stored, each.unreadable) for each in lift(county)] == [(1, False), (0, False), (0, True)]
    assert account(county) == (2, 2, 0, 0)
    assert len(lift(county)) == 1


def test_a_row_that_the_database_refuses_holds_up_no_other(county: County) -> None:
    home = Home()
    for value in (9500, 9600, 9700):
        put(county, home.message([(value, SPO2, value)], devices=[UNBOUND]))
    bind(county)
    county.execute("ALTER TABLE sample ADD CONSTRAINT poison CHECK (spo2 <> 9600)")
    try:
        assert sum(each.stored for each in lift(county)) == 2
    finally:
        county.execute("ALTER TABLE sample DROP CONSTRAINT poison")
    [(detail,)] = rows_of(county, "SELECT detail FROM rejected WHERE readings > 0")
    assert "refused again: CheckViolation" in detail
    assert lift(county)[0].stored == 1
    assert adds_up(county)


def test_whatever_fails_before_the_commit_leaves_all_as_it_was(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9500)], devices=[UNBOUND]))
    bind(county)
    county.execute("ALTER TABLE intake_log RENAME TO gone")
    try:
        with pytest.raises(psycopg.errors.UndefinedTable):
            lift(county)
    finally:
        county.execute("ALTER TABLE gone RENAME TO intake_log")
    assert rows_of(county, "SELECT count(*) FROM sample") == [(0,)]
    assert rows_of(county, LYING) == [("unbound_device", 1, 0)]
    assert lift(county)[0].stored == 1


def test_two_that_lift_at_once_lift_each_reading_once(county: County) -> None:
    home = Home()
    for at in range(60):
        put(county, home.message([(at, SPO2, 9500 + at)], devices=[UNBOUND]))
    bind(county)
    found = rows_of(county, "SELECT rejected_id FROM rejected ORDER BY 1")
    ids = [(rejected_id, Rejection.UNBOUND_DEVICE) for (rejected_id,) in found]
    dsn = f"{county.info.dsn} user={county.info.user}"

    def at_work(_: int) -> int:
        lifter = Lifter(by="one of three", retention_days=90)
        with connect(dsn) as connection:
            return sum(each.stored for one in ids for each in lifter.lift(connection, [one], LATER_MS))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(at_work, range(3))) == 60
    assert account(county) == (60, 60, 0, 0)
    fed = rows_of(county, "SELECT payload FROM intake_log ORDER BY batch_id")
    assert [int(from_payload(each)["value"][0]) for (each,) in fed] == list(range(9500, 9560))  # as they came


def test_the_job_lifts_when_the_registry_has_changed_and_in_bounded_turns(county: County) -> None:
    job, home = LiftWaiting(retention_days=90), Home()
    for at in range(501):
        put(county, home.message([(at, SPO2, 9500)], devices=[UNBOUND]))
    put(county, Home().message([(0, SPO2, 9500)], devices=[STRANGER]))
    assert (job(county, NOW).done, job(county, NOW).detail) == (0, "the registry has not changed")
    bind(county)
    turn = job(county, NOW)
    assert (turn.done, turn.left, turn.more) == (500, 1, True)
    turn = job(county, NOW)
    assert (turn.done, turn.more) == (1, False)
    assert job(county, NOW).detail == "the registry has not changed"
    assert rows_of(county, "SELECT lifted_by FROM rejected WHERE lifted > 0 GROUP BY 1") == [("tend",)]
    assert rows_of(county, "SELECT reason, lifted FROM rejected WHERE readings > 0") == [("unknown_device", 0)]


def test_what_was_judged_by_the_former_registry_and_stored_after_the_look_is_found_later(county: County) -> None:
    job = LiftWaiting(retention_days=90)
    bind(county)
    job(county, NOW)
    put(county, Home().message([(0, SPO2, 9500)], devices=[STRANGER]))
    county.execute("UPDATE rejected SET device = %s, judged_version = judged_version - 1", [UNBOUND])
    assert job(county, NOW).done == 0
    assert job(county, NOW + LOOK_AGAIN).done == 1


def test_rows_without_a_hope_are_not_judged_again_and_others_once_a_version(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9500)], devices=[UNBOUND]))
    put(county, Home().message([(0, SPO2, 9500)], devices=[LENT], t0_ms=NOW_MS - 7_200_000, synchronised=False,
                               sent_ms=NOW_MS - 7_200_000))  # fmt: skip
    assert rows_of(county, "SELECT reason FROM rejected") == [("unbound_device",)]
    [(version,)] = rows_of(county, "SELECT version FROM registry_version")
    bind(county, valid="[2019-01-01 00:00+00, 2019-02-01 00:00+00)")
    assert LiftWaiting(retention_days=90)(county, NOW).done == 0
    assert rows_of(county, "SELECT judged_version FROM rejected") == [(version,)]


def test_a_replay_that_is_killed_is_taken_up_again_and_lifts_nothing_twice(county: County) -> None:
    home, lying = Home(), 3_000
    for at in range(0, lying, 2):
        put(county, home.message([(at, SPO2, 9500), (at + 1, SPO2, 9600)], devices=[UNBOUND]))
    bind(county)
    environment = {
        **os.environ,
        "HEARTHWATCH_DATABASE_DSN": f"{county.info.dsn} user={county.info.user}",
        "HEARTHWATCH_CLOCK_ORIGIN": NOW.isoformat(),
        "HEARTHWATCH_CLOCK_SPEED": "0.000001",
    }
    command = [sys.executable, "-m", "hearthwatch", "ingest", "replay"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert run.stderr.readline() == "500 of 1500 rows judged again\n"
        run.kill()
    _, fed, _, _ = account(county)
    assert 1_000 <= fed <= lying
    assert adds_up(county)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    left = account(county)
    assert (left[1], left[2]) == (lying, 0)
    assert done.stdout.startswith("0 readings lifted" if fed == lying else f"{lying - fed} readings lifted")


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.integers(0, 5), st.integers(0, 5)),
        st.tuples(st.just("bind"), st.integers(0, 2), st.integers(0, 4), st.integers(1, 3)),
        st.tuples(st.just("device"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("gateway"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("replay"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("job"), st.just(0), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=14,
)  # fmt: skip
RESET = """
DELETE FROM binding WHERE device_id IN (19, 77); DELETE FROM device WHERE device_id = 77;
DELETE FROM gateway WHERE gateway_id = 'gw-9';
TRUNCATE sample, latest, rejected, outbox_owner, outbox_account, intake_log;
UPDATE registry_version SET version = version + 1;
"""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS)
def test_every_accepted_reading_is_stored_refused_or_repeated_whatever_the_registry_does(
    county: County, events: list[tuple[str, int, int, int]]
) -> None:
    county.execute(RESET)
    homes = [Home(), Home(), Home(gateway_id="gw-9")]
    job = LiftWaiting(retention_days=90)
    for event, which, at, more in events:
        if event == "put":
            device = [UNBOUND, STRANGER, UNBOUND][which]
            readings = [(second * 1000, SPO2, 9000 + which) for second in range(at, at + more + 1)]
            put(county, homes[which].message(readings, devices=[device]), gateway_id=homes[which].gateway_id)
        elif event == "bind":
            since, until = instant(NOW_MS + at * 1000), instant(NOW_MS + (at + more) * 1000)
            county.execute(
                "INSERT INTO binding (device_id, patient_id, valid) SELECT d, 1, tstzrange(%(s)s, %(u)s) FROM"
                " (VALUES (%(d)s)) v (d) WHERE EXISTS (SELECT FROM device WHERE device_id = d) AND NOT EXISTS"
                " (SELECT FROM binding WHERE device_id = d AND valid && tstzrange(%(s)s, %(u)s))",
                {"d": [19, 77, 19][which], "s": since, "u": until},
            )
            moved(county)
        elif event == "device":
            county.execute(
                "INSERT INTO device (device_id, key, kind) VALUES (77, %s, 'oximeter') ON CONFLICT DO NOTHING",
                [STRANGER],
            )
            moved(county)
        elif event == "gateway":
            county.execute(
                "INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-9', 1) ON CONFLICT DO NOTHING"
            )
            moved(county)
        elif event == "replay":
            lift(county)
        else:
            job(county, NOW)
        assert adds_up(county)
    everything(county)
    lift(county)
    # Nothing but contradictions of two outboxes over one device is left, and every sample is in the feed once.
    assert {reason for reason, readings, _ in rows_of(county, LYING) if readings} <= {"conflict"}
    assert adds_up(county)
    [(values,)] = rows_of(county, "SELECT count(spo2) FROM sample")
    assert values == account(county)[1]


def everything(county: County) -> None:
    """Register and bind all that was ever heard."""
    county.execute("INSERT INTO device (device_id, key, kind) VALUES (77, %s, 'oximeter') ON CONFLICT DO NOTHING",
                   [STRANGER])  # fmt: skip
    county.execute("INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-9', 1) ON CONFLICT DO NOTHING")
    county.execute("DELETE FROM binding WHERE device_id IN (19, 77)")
    bind(county, 19)
    bind(county, 77)


def test_the_commands_browse_count_and_replay(county: County, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", f"{county.info.dsn} user={county.info.user}")
    monkeypatch.setenv("HEARTHWATCH_CLOCK_ORIGIN", NOW.isoformat())
    monkeypatch.setenv("HEARTHWATCH_CLOCK_SPEED", "0.000001")
    home = Home()
    put(county, home.message([(0, SPO2, 9500), (1, SPO2, 9600)], devices=[UNBOUND]))
    put(county, home.message([(0, SPO2, 9500)], devices=[STRANGER]), gateway_id="gw-2", received_ms=NOW_MS + 60_000)
    assert "unbound_device  2 readings in 1 row, came 1 time," in run("rejected", "--count")
    [line] = run("rejected", "--device", UNBOUND, "--json").splitlines()
    assert json.loads(line)["readings"] == 2
    assert run("rejected", "--gateway", "gw-3") == "nothing matches\n"
    [line] = run("rejected", "--since", "2026-03-01T12:01:00", "--json").splitlines()
    assert json.loads(line)["source"] == "gw-2"
    [line] = run("rejected", "--until", "2026-03-01T12:01:00", "--json").splitlines()
    assert json.loads(line)["source"] == "gw-1"
    bind(county)
    assert "unbound_device: 2 would be lifted" in run("replay", "--dry-run", "--reason", "unbound_device")
    [line] = run("replay", "--device", UNBOUND, "--json").splitlines()
    assert (json.loads(line)["stored"], json.loads(line)["refused"]) == (2, {})
    said = run("replay")
    assert said == "0 readings lifted, 0 equal what is stored; still refused: foreign_outbox 1\n"
    assert UNBOUND not in run("rejected")
    assert " 2 lifted " in run("rejected", "--lifted", "--reason", "unbound_device")
    assert rows_of(county, "SELECT spo2 FROM sample ORDER BY 1") == [(9500,), (9600,)]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout
