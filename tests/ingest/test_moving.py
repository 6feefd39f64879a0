"""Samples of a device that was on somebody else: moved whole, once; what is made of them is as if it had been so."""

import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from care.correcting import correct
from care.correction import Correction, CorrectionRefused
from hearthwatch.services.process import tied_to_parent
from ingest.feed import from_payload as readings_of
from ingest.judging.refusals import instant
from ingest.moved import Moved, MovedError, from_payload, to_payload
from ingest.store.registry import Registry
from ingest.tend import rollups
from ingest.tend.moving import JUDGED_BACK, LOOK_AGAIN, kept_since, move_samples
from tests.ingest.conftest import EMPTY
from tests.ingest.county import NOW, NOW_MS, OXIMETER, PULSE, REGISTRY, SPO2, UNBOUND, Home, put, rows_of
from tests.ingest.rollup_oracle import expected, found
from tests.ingest.service import wait_until
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE

County = psycopg.Connection[Any]
HOURS = timedelta(hours=1)
SINCE = NOW - 2 * HOURS
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
WHOLE = (
    "SELECT measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse, quality FROM sample"
    " ORDER BY patient_id, measured_at, device_id"
)
NEWEST = (
    "SELECT patient_id, device_id, signal, value, quality, reason, measured_at, received_at, good_value,"
    " good_measured_at, good_received_at FROM latest ORDER BY 1, 2, 3"
)
ACCOUNT = "SELECT outbox_id, taken::text, repeated FROM outbox_account ORDER BY 1"


@pytest.fixture
def home_county(county: County) -> County:
    """The county with nothing rolled up and nothing corrected."""
    afresh(county)
    return county


def afresh(county: County) -> None:
    county.execute(EMPTY)
    county.execute(REGISTRY)
    county.execute(
        "TRUNCATE minute_rollup, hour_rollup, dirty_hour; UPDATE intake_reader SET batch_id = 0;"
        " UPDATE dropped SET before = '-infinity';"
        " INSERT INTO binding (device_id, patient_id, valid) VALUES (19, 1, '[2020-01-01 00:00+00,)')"
    )
    county.execute("CREATE TEMPORARY TABLE IF NOT EXISTS staged_span (patient_id integer, from_at timestamptz,"
                   " until_at timestamptz) ON COMMIT DELETE ROWS")  # fmt: skip


def said(**changes: Any) -> Correction:
    whole = {"device": OXIMETER, "of": "p1", "to": "p3", "since": SINCE, "until": None, "reason": "兄妹戴错"}
    return Correction(**whole | changes)


def corrects(county: County, now: datetime = NOW, **changes: Any) -> int:
    return correct(county, said(**changes), kept_since=kept_since(county), person_id=1, now=now)


def carry_out(county: County, *, now: datetime = NOW, samples_max: int = 20_000) -> int:
    """Move all there is to move, both looks; gives how many samples."""
    moved = 0
    for at in (now, now + LOOK_AGAIN):
        while (turn := move_samples(county, at, samples_max=samples_max)).more:
            moved += turn.done
    return moved


def roll(county: County) -> None:
    while rollups.roll_minutes(county, NOW).more:
        pass
    while rollups.roll_hours(county, NOW).more:
        pass


def traffic(seed: int) -> list[tuple[bytes, int]]:
    """Messages of two devices of a home in 3 h: spells, gaps, doubtful and missing values, late ones."""
    dice, home, sent = random.Random(seed), Home(), []
    at_ms = NOW_MS - 3 * HOUR_MS
    while at_ms < NOW_MS - 400_000:
        device = dice.choice([OXIMETER, OXIMETER, UNBOUND])
        count, level = dice.randint(1, 40), dice.choice([9700, 9300, 9100, 8600])
        rows: list[Any] = []
        for second in range(count):
            doubt = dice.choice([(), (), (), (Quality.QUESTIONABLE, Reason.POOR_SIGNAL)])
            rows.append((second * 1000, SPO2, level + dice.randint(0, 60), *doubt))
            if dice.random() < 0.6:
                rows.append((second * 1000, PULSE, 7000 + dice.randint(0, 500)))
            if dice.random() < 0.05:
                rows.append((second * 1000, 13, NO_VALUE, Quality.INVALID, Reason.FINGER_OUT))
        message = home.message(rows, devices=[device], t0_ms=at_ms, sent_ms=at_ms + count * 1000)
        late_ms = dice.choice([0, 0, 0, dice.randint(0, HOUR_MS)])
        sent.append((message, min(at_ms + count * 1000 + late_ms, NOW_MS)))
        at_ms += count * 1000 + dice.choice([0, 0, 5_000, 90_000, 600_000])
    return sorted(sent, key=lambda each: each[1])


def worn_by_three(county: County, until: datetime | None) -> None:
    """Bind the oximeter as it was worn, from the beginning."""
    bind = "INSERT INTO binding (device_id, patient_id, valid) VALUES (11, %s, tstzrange(%s, %s))"
    county.execute("UPDATE binding SET valid = tstzrange(NULL, %s) WHERE device_id = 11", [SINCE])
    county.execute(bind, [3, SINCE, until])
    if until is not None:
        county.execute(bind, [1, until, None])


def sends(county: County, messages: list[tuple[bytes, int]]) -> None:
    registry = Registry()
    for message, received_ms in messages:
        put(county, message, received_ms=received_ms, registry=registry)


def picture(county: County) -> dict[str, Any]:
    roll(county)
    for width_ms, table in ((MINUTE_MS, "minute_rollup"), (HOUR_MS, "hour_rollup")):
        assert found(county, table) == expected(county, width_ms)
    return {
        "samples": rows_of(county, WHOLE),
        "newest": rows_of(county, NEWEST),
        "minutes": found(county, "minute_rollup"),
        "hours": found(county, "hour_rollup"),
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("until", [None, NOW - HOURS])
def test_after_a_correction_all_is_as_if_the_readings_had_come_under_the_right_patient(
    home_county: County, seed: int, until: datetime | None
) -> None:
    messages, dice = traffic(seed), random.Random(seed)
    worn_by_three(home_county, until)
    sends(home_county, messages)
    wanted = picture(home_county)
    afresh(home_county)
    sends(home_county, messages)
    if dice.random() < 0.5:
        roll(home_county)
    before = rows_of(home_county, ACCOUNT)
    corrects(home_county, until=until)
    moved = carry_out(home_county, samples_max=dice.randint(3, 60))
    assert moved == sum(1 for each in wanted["samples"] if each[2:4] == (3, 11))
    assert picture(home_county) == wanted
    assert rows_of(home_county, ACCOUNT) == before
    assert rows_of(home_county, "SELECT count(*) FROM sample_aside") == [(0,)]
    fed = rows_of(home_county, "SELECT payload FROM intake_log WHERE kind = 'readings'")
    stored = "SELECT sum(upper(r) - lower(r))::bigint FROM outbox_account, unnest(taken) r"
    assert [(sum(len(readings_of(payload)) for (payload,) in fed),)] == rows_of(home_county, stored)


MOVER = """
import sys
from datetime import datetime
from ingest.tend import rollups
from ingest.tend.moving import move_samples
from tests.ingest.county import connect
with connect(sys.argv[1]) as connection:
    rollups.prepare(connection)
    print("ready", flush=True)
    while move_samples(connection, datetime.fromisoformat(sys.argv[2]), samples_max=5).more:
        pass
"""


def test_a_mover_that_is_killed_loses_nothing_and_doubles_nothing(home_county: County, tmp_path: Path) -> None:
    messages, dice = traffic(7), random.Random(7)
    sends(home_county, messages)
    whole = rows_of(home_county, WHOLE)
    corrects(home_county)
    command = [sys.executable, "-c", MOVER, home_county.info.dsn, NOW.isoformat()]
    left = f"SELECT count(*) FROM sample WHERE (patient_id, device_id) = (1, 11) AND measured_at >= '{SINCE}'"  # noqa: S608
    kills = 0
    with (tmp_path / "mover.log").open("ab") as log:
        while (now_left := rows_of(home_county, left)[0][0]) > 0:
            with subprocess.Popen(tied_to_parent(command), stdout=subprocess.PIPE, stderr=log) as mover:
                assert mover.stdout is not None
                assert mover.stdout.readline() == b"ready\n"
                aim = max(0, now_left - dice.randint(1, 200))
                wait_until(lambda aim=aim: rows_of(home_county, left)[0][0] <= aim, "it has moved some")
                mover.kill()
            kills += 1
            wait_until(lambda: rows_of(home_county, GONE) == [(0,)], "the server has seen it go")
            assert len(rows_of(home_county, WHOLE)) == len(whole)
    assert kills > 1
    carry_out(home_county)
    theirs = [(*each[:2], 3 if (each[3], each[0] >= SINCE) == (11, True) else each[2], *each[3:]) for each in whole]
    assert rows_of(home_county, WHOLE) == sorted(theirs, key=lambda each: (each[2], each[0], each[3]))
    picture(home_county)
    assert sorted((each.patient_id, each.gone) for each in told(home_county)) == [(1, True), (3, False)]


GONE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' AND state <> 'idle'"
)


def told(county: County) -> list[Moved]:
    payloads = rows_of(county, "SELECT payload FROM intake_log WHERE kind = 'moved' ORDER BY partition, batch_id")
    return [from_payload(bytes(payload)) for (payload,) in payloads]


def test_what_is_nobodys_lies_aside_and_comes_back_when_that_was_wrong(home_county: County) -> None:
    sends(home_county, traffic(3))
    before = picture(home_county)
    of_device = [each for each in before["samples"] if each[3] == 11 and each[0] >= SINCE]
    corrects(home_county, to=None)
    assert carry_out(home_county, samples_max=50) == len(of_device) > 0
    assert [each for each in rows_of(home_county, WHOLE) if each[3] == 11 and each[0] >= SINCE] == []
    assert rows_of(home_county, "SELECT count(*), min(why) FROM sample_aside") == [(len(of_device), "nobody")]
    assert [each.gone for each in told(home_county)] == [True]
    picture(home_county)
    assert put(home_county, Home().message([(0, SPO2, 9000)], devices=[OXIMETER], t0_ms=NOW_MS - 5)).readings == 0
    later = NOW + 2 * LOOK_AGAIN
    corrects(home_county, later, of=None, to="p1", since=SINCE, until=None, reason="是他")
    assert carry_out(home_county, now=later, samples_max=50) == len(of_device)
    assert picture(home_county)["samples"] == before["samples"]
    assert rows_of(home_county, "SELECT count(*) FROM sample_aside") == [(0,)]
    home_county.execute("UPDATE dropped SET before = now() WHERE class = 'sample'")


def test_what_a_batch_stored_under_the_old_binding_is_found_by_the_second_look(home_county: County) -> None:
    at_ms = NOW_MS - HOUR_MS
    put(home_county, Home().message([(0, SPO2, 9000)], t0_ms=at_ms))
    corrects(home_county)
    assert move_samples(home_county, NOW).done == 1
    home_county.execute(
        "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2)"
        " VALUES (%s, %s, 1, 11, 0, 8800)",
        [instant(at_ms + 1000), NOW],
    )
    assert move_samples(home_county, NOW + LOOK_AGAIN - timedelta(seconds=1)).done == 0
    assert move_samples(home_county, NOW + LOOK_AGAIN).done == 1
    assert rows_of(home_county, "SELECT patient_id, spo2 FROM sample ORDER BY measured_at") == [(3, 9000), (3, 8800)]
    assert sorted(each.patient_id for each in told(home_county)) == [1, 1, 3, 3]
    assert move_samples(home_county, NOW + 9 * LOOK_AGAIN).more is False
    assert rows_of(home_county, "SELECT samples, done_at IS NOT NULL FROM sample_move") == [(2, True)]
    assert len(told(home_county)) == 4


def test_signals_of_one_instant_meet_and_a_contradiction_lies_aside(home_county: County) -> None:
    at_ms = NOW_MS - HOUR_MS
    home = Home()
    put(home_county, home.message([(0, SPO2, 9000), (1000, SPO2, 9100), (2000, SPO2, 9200)], t0_ms=at_ms))
    corrects(home_county)
    put(home_county, home.message([(0, PULSE, 7000), (1000, SPO2, 9150), (2000, SPO2, 9200)], t0_ms=at_ms))
    carry_out(home_county)
    assert rows_of(home_county, "SELECT patient_id, spo2, pulse FROM sample ORDER BY measured_at") == [
        (3, 9000, 7000),
        (3, 9150, None),
        (3, 9200, None),
    ]
    assert rows_of(home_county, "SELECT why, spo2 FROM sample_aside") == [("conflict", 9100)]
    assert rows_of(home_county, "SELECT samples, aside FROM sample_move") == [(3, 1)]


def test_what_is_older_than_is_judged_is_said_on_the_record(home_county: County) -> None:
    old_ms = NOW_MS - round(timedelta(days=5).total_seconds()) * 1000
    put(home_county, Home().message([(0, SPO2, 9000)], t0_ms=old_ms), received_ms=old_ms)
    put(home_county, Home().message([(0, SPO2, 9000)], t0_ms=NOW_MS - HOUR_MS))
    corrects(home_county, since=NOW - timedelta(days=6))
    while move_samples(home_county, NOW, samples_max=1).more:
        pass
    assert rows_of(home_county, "SELECT judged_from FROM sample_moved") == [(NOW - JUDGED_BACK,)]
    assert {each.judged_from_ms for each in told(home_county)} == {round((NOW - JUDGED_BACK).timestamp() * 1000)}
    assert rows_of(home_county, "SELECT DISTINCT patient_id FROM sample") == [(3,)]


def test_nothing_is_corrected_that_is_not_kept_any_more(home_county: County) -> None:
    home_county.execute("UPDATE dropped SET before = %s WHERE class = 'sample'", [SINCE - 3 * HOURS])
    with pytest.raises(CorrectionRefused, match="before what is kept"):
        corrects(home_county)
    home_county.execute("UPDATE dropped SET before = %s WHERE class = 'sample'", [SINCE - 24 * HOURS])
    corrects(home_county)


def test_what_lies_aside_is_forgotten_with_the_samples_of_its_day(home_county: County) -> None:
    put(home_county, Home().message([(0, SPO2, 9000)], t0_ms=NOW_MS - HOUR_MS))
    corrects(home_county, to=None)
    carry_out(home_county)
    assert move_samples(home_county, NOW).done == 0
    home_county.execute("UPDATE dropped SET before = %s WHERE class = 'sample'", [NOW])
    assert move_samples(home_county, NOW).done == 1
    assert rows_of(home_county, "SELECT count(*) FROM sample_aside") == [(0,)]


def test_two_corrections_of_one_device_are_carried_out_in_order(home_county: County) -> None:
    put(home_county, Home().message([(0, SPO2, 9000), (1000, SPO2, 9100)], t0_ms=NOW_MS - HOUR_MS))
    corrects(home_county, to="p2")
    corrects(home_county, NOW + timedelta(seconds=1), of="p2", to="p3")
    carry_out(home_county, now=NOW + timedelta(seconds=1), samples_max=1)
    assert rows_of(home_county, "SELECT DISTINCT patient_id FROM sample") == [(3,)]
    assert rows_of(home_county, "SELECT count(*) FROM latest WHERE patient_id <> 3") == [(0,)]


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b'{"patient": "x"}', b"\xff"])
def test_what_can_not_be_read_as_moved_is_named(payload: bytes) -> None:
    with pytest.raises(MovedError, match="not what has moved"):
        from_payload(payload)


def test_what_has_moved_is_read_as_it_was_written() -> None:
    moved = Moved(
        correction_id=7,
        patient_id=3,
        device_id=11,
        signals=(1, 2),
        from_ms=5,
        until_ms=None,
        judged_from_ms=6,
        gone=True,
    )
    assert from_payload(to_payload(moved)) == moved
