"""Who wore a device is corrected: what may be said, and bindings that never overlap."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.correcting import correct
from care.correction import Correction, CorrectionRefused, Interval, Wrong, check, corrected, covers, left_over

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETUP = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role) VALUES (1, 'c', '县', 'C', 'county');
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier)
    VALUES (1, 'tech', '技', 'Tech', 1, 'technician', 2);
INSERT INTO patient (patient_id, key, name, initials, born_on, sex, organisation_id, family_doctor_id, risk_colour,
    service_tier) SELECT n, 'p' || n, 'P', 'P', '1950-01-01', 'female', 1, 1, 'yellow', 2 FROM generate_series(1, 3) n;
INSERT INTO device (device_id, key, kind, shared) VALUES (1, 'd1', 'oximeter', false), (2, 'd2', 'oximeter', true);
INSERT INTO binding (device_id, patient_id, valid) VALUES
    (1, 1, '[2026-02-01 00:00+00, 2026-02-20 00:00+00)'), (1, 1, '[2026-02-20 00:00+00, 2026-02-25 00:00+00)'),
    (1, 2, '[2026-02-25 00:00+00, 2026-02-26 00:00+00)'), (1, 1, '[2026-02-27 00:00+00,)'),
    (2, 1, '[2026-03-01 10:00+00, 2026-03-01 10:10+00)');
INSERT INTO patient_status (patient_id, status, at, reason, person_id, entered_at)
    VALUES (2, 'dead', '2026-02-28 10:00+00', '村医', 1, '2026-02-28 10:00+00');
"""
WORN = "SELECT patient_id, lower(valid), upper(valid) FROM binding WHERE device_id = 1 ORDER BY valid"


@pytest.fixture
def registry(database: str) -> Any:
    with psycopg.connect(database, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute(SETUP.encode())
        yield connection


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2026, 2, number, hour, tzinfo=UTC)


def said(**changes: Any) -> Correction:
    whole = {"device": "d1", "of": "p1", "to": "p3", "since": day(28), "until": None, "reason": "看错床位"}
    return Correction(**whole | changes)


def corrects(connection: psycopg.Connection[Any], **changes: Any) -> int:
    return correct(connection, said(**changes), kept_since=None, person_id=1, now=NOW)


def test_a_binding_that_still_is_wrong_goes_on_as_the_right_ones(registry: psycopg.Connection[Any]) -> None:
    version = registry.execute("SELECT version FROM registry_version").fetchone()
    number = corrects(registry)
    assert registry.execute(WORN.encode()).fetchall()[-2:] == [(1, day(27), day(28)), (3, day(28), None)]
    line = (
        "SELECT correction_id, from_key, to_key, since, until, reason, person_name_en, at FROM care_binding_correction"
    )
    assert registry.execute(line.encode()).fetchall() == [(number, "p1", "p3", day(28), None, "看错床位", "Tech", NOW)]
    assert registry.execute("SELECT version FROM registry_version").fetchone() != version
    assert registry.execute("SELECT bound_by_hand FROM device WHERE device_id = 1").fetchone() == (True,)
    for change in ("UPDATE binding_correction SET reason = 'x'", "DELETE FROM binding_correction"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            registry.execute(change.encode())


def test_a_time_in_the_midst_is_cut_out_also_across_bindings(registry: psycopg.Connection[Any]) -> None:
    corrects(registry, since=day(19), until=day(21))
    assert registry.execute(WORN.encode()).fetchall()[:4] == [
        (1, day(1), day(19)),
        (3, day(19), day(20)),
        (3, day(20), day(21)),
        (1, day(21), day(25)),
    ]


def test_nobody_wore_it_or_somebody_did_where_nobody_was_bound(registry: psycopg.Connection[Any]) -> None:
    corrects(registry, to=None)
    assert registry.execute(WORN.encode()).fetchall()[-1] == (1, day(27), day(28))
    corrects(registry, of=None, to="p3", since=day(28))
    assert registry.execute(WORN.encode()).fetchall()[-1] == (3, day(28), None)
    corrects(registry, of=None, to="p2", since=day(26), until=day(27))
    assert (2, day(26), day(27)) in registry.execute(WORN.encode()).fetchall()


@pytest.mark.parametrize(
    ("changes", "wrong", "words"),
    [
        ({"to": "p1"}, Wrong.SAME, "both the wrong wearer and the right one"),
        ({"of": None, "to": None}, Wrong.SAME, "nobody is both"),
        ({"reason": "  "}, Wrong.REASON, "how it was noticed"),
        ({"reason": "x" * 501}, Wrong.REASON, "1 to 500"),
        ({"until": day(28)}, Wrong.EMPTY, "is no time"),
        ({"until": NOW + HOUR}, Wrong.FUTURE, "is yet to come"),
        ({"since": NOW + HOUR}, Wrong.FUTURE, "is yet to come"),
        ({"device": "d9"}, Wrong.NO_DEVICE, "no device 'd9'"),
        ({"to": "p9"}, Wrong.NO_PATIENT, "no patient 'p9'"),
        ({"since": day(24), "until": day(25, 1)}, Wrong.OVERLAPS, "bound to another since 2026-02-25"),
        ({"since": day(24)}, Wrong.OVERLAPS, "bound to another"),
        ({"of": None, "since": day(26)}, Wrong.OVERLAPS, "bound to another since 2026-02-27"),
        ({"since": day(26, 1), "until": day(28)}, Wrong.NOT_WORN, "for the whole of that time"),
        ({"to": "p2"}, Wrong.DEAD, "say until when d1 was worn"),
        ({"device": "d2", "of": None, "since": NOW - HOUR, "until": NOW}, Wrong.SHARED, "one measurement at a time"),
    ],
)
def test_what_can_not_be_corrected_is_refused_by_name_and_changes_nothing(
    registry: psycopg.Connection[Any], changes: dict[str, Any], wrong: Wrong, words: str
) -> None:
    before = registry.execute(WORN.encode()).fetchall()
    with pytest.raises(CorrectionRefused, match=words) as refused:
        corrects(registry, **changes)
    assert refused.value.wrong is wrong
    assert registry.execute(WORN.encode()).fetchall() == before
    assert registry.execute("SELECT count(*) FROM binding_correction").fetchone() == (0,)


def test_one_measurement_with_a_shared_device_is_corrected(registry: psycopg.Connection[Any]) -> None:
    begin = NOW - 2 * HOUR
    corrects(registry, device="d2", since=begin, until=begin + HOUR / 6)
    assert registry.execute("SELECT patient_id FROM binding WHERE device_id = 2").fetchall() == [(3,)]


def test_what_was_measured_has_to_be_there_still() -> None:
    with pytest.raises(CorrectionRefused, match="begin at 2026-02-28T01:00") as refused:
        check(said(), kept_since=day(28, 1), now=NOW)
    assert refused.value.wrong is Wrong.TOO_FAR_BACK
    check(said(), kept_since=day(28), now=NOW)


@given(
    begin=st.integers(0, 20),
    length=st.one_of(st.none(), st.integers(1, 20)),
    since=st.integers(0, 40),
    lasts=st.one_of(st.none(), st.integers(1, 40)),
)
def test_what_is_left_and_what_is_corrected_make_the_whole(
    begin: int, length: int | None, since: int, lasts: int | None
) -> None:
    base = NOW - 100 * HOUR
    worn = Interval(since=base + begin * HOUR, until=None if length is None else base + (begin + length) * HOUR)
    until = None if lasts is None else base + (since + lasts) * HOUR
    said_ = said(since=base + since * HOUR, until=until)
    hours = {at for at in range(100) if begin <= at and (length is None or at < begin + length)}
    wrong = {at for at in range(100) if since <= at and (lasts is None or at < since + lasts)}

    def among(each: Interval) -> set[int]:
        instants = {at: base + at * HOUR for at in range(100)}
        return {at for at, t in instants.items() if t >= (each.since or t) and (each.until is None or t < each.until)}

    if not hours & wrong:
        return
    parts = [among(each) for each in left_over(worn, said_)]
    assert set().union(*parts) == hours - wrong
    assert among(corrected(worn, said_)) == hours & wrong
    assert covers([worn], said_, now=NOW) == (wrong <= hours)
