"""Loading the registry: what the file says is in the database, history stays, and nothing happens twice."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from care.duty import family_doctors, on_duty
from care.loading import load
from care.people import verify_password
from tests.care.example import example, without_passwords

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SINCE = datetime(2019, 12, 31, 16, 0, tzinfo=UTC)


@pytest.fixture
def connection(any_database: str) -> Any:
    """A connection to a fresh database, on each flavour."""
    with psycopg.connect(any_database, autocommit=True) as opened:
        yield opened


def bindings(connection: psycopg.Connection[Any], device: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT p.key, valid_from, valid_until FROM care_binding JOIN patient p USING (patient_id)"
        " WHERE device_key = %s ORDER BY valid_from",
        [f"C0:00:00:00:00:{device}"],
    ).fetchall()


def test_the_example_is_loaded_once_and_the_second_time_changes_nothing(connection: psycopg.Connection[Any]) -> None:
    loaded = load(connection, without_passwords(), now=NOW)
    assert (loaded.organisations, loaded.people, loaded.patients, loaded.devices) == (8 + 6, 12, 7, 6)
    assert (loaded.bindings, loaded.duties, loaded.version) == (6, 8, 2)
    again = load(connection, without_passwords(), now=NOW + timedelta(days=1))
    assert (again.changes, again.version) == (0, 2)
    assert bindings(connection, "01") == [("p1", SINCE, None)]
    assert connection.execute("SELECT special_groups, born_on::text FROM patient WHERE key = 'p7'").fetchall() == [
        (["over_80", "home_oxygen"], "1939-12-05")
    ]


def test_passwords_are_hashed_and_a_changed_one_anew(connection: psycopg.Connection[Any]) -> None:
    load(connection, example(), now=NOW)
    hashes = connection.execute("SELECT password_hash FROM person").fetchall()
    assert all(row[0].startswith("$argon2id$") for row in hashes)
    person = verify_password(connection, "li", "hearth-li-demo")
    assert person is not None
    assert (person.key, person.role, person.service_tier) == ("li", "family_doctor", 2)
    assert verify_password(connection, "li", "hearth-chen-demo") is None
    assert verify_password(connection, "nobody", "hearth-li-demo") is None
    assert verify_password(connection, "l\0i", "hearth-li-demo") is None
    loaded = load(connection, example(("hearth-li-demo", "another-password")), now=NOW)
    assert (loaded.people, loaded.changes, loaded.version) == (1, 1, 3)
    assert verify_password(connection, "li", "another-password") is not None
    assert verify_password(connection, "li", "hearth-li-demo") is None


def test_a_device_that_changes_its_patient_is_closed_and_reopened_now(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    swapped = without_passwords(
        ('device = "C0:00:00:00:00:01"\npatient = "p1"', 'device = "C0:00:00:00:00:01"\npatient = "p7"')
    )
    assert load(connection, swapped, now=NOW).bindings == 2
    assert bindings(connection, "01") == [("p1", SINCE, NOW), ("p7", NOW, None)]
    assert load(connection, swapped, now=NOW + timedelta(hours=1)).changes == 0


def test_an_interval_is_ended_by_the_file_and_followed_by_another(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    begin = 'patient = "p1"\nfrom = 2020-01-01T00:00:00+08:00'
    ended = without_passwords(
        (
            begin,
            f"{begin}\nuntil = 2026-02-01T00:00:00Z\n"
            '[[binding]]\ndevice = "C0:00:00:00:00:01"\npatient = "p7"\nfrom = 2026-04-01T00:00:00Z',
        )
    )
    load(connection, ended, now=NOW)
    end, begins = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    assert bindings(connection, "01") == [("p1", SINCE, end), ("p7", begins, None)]
    assert load(connection, ended, now=NOW).changes == 0
    load(connection, without_passwords(), now=NOW)  # the change is taken back: what had not begun never was
    assert bindings(connection, "01") == [("p1", SINCE, end), ("p1", end, None)]


def test_a_device_without_binding_in_the_file_is_unbound_now(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    without = without_passwords(
        ('[[binding]]\ndevice = "C0:00:00:00:00:06"\npatient = "p6"\nfrom = 2020-01-01T00:00:00+08:00\n', "")
    )
    load(connection, without, now=NOW)
    assert bindings(connection, "06") == [("p6", SINCE, NOW)]


def test_an_organisation_whose_last_duty_is_taken_out_has_nobody_on_duty(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    line = '[[duty]]\norganisation = "heping-centre"\nrole = "township_duty"\nperson = "zhao"\n'
    loaded = load(connection, without_passwords((line, "")), now=NOW)
    assert loaded.duties == 1
    village = connection.execute("SELECT organisation_id FROM organisation WHERE key = 'liuzhuang-village'").fetchone()
    assert village is not None
    assert on_duty(connection, village[0], "township_duty", NOW) == []


def test_duty_follows_the_file(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    changed = without_passwords(('person = "zhou"', 'person = "wang"\nfrom = 2026-03-02T00:00:00Z'))
    assert load(connection, changed, now=NOW).duties == 2
    [(village,)] = connection.execute(
        "SELECT organisation_id FROM organisation WHERE key = 'liuzhuang-village'"
    ).fetchall()
    assert [p.key for p in on_duty(connection, village, "county_expert", NOW)] == ["wang"]
    assert [p.key for p in on_duty(connection, village, "township_duty", NOW)] == ["zhao"]
    [(chen,)] = connection.execute("SELECT family_doctor_id FROM patient WHERE key = 'p4'").fetchall()
    doctor = family_doctors(connection, [chen], NOW)[chen]
    assert (doctor.key, doctor.channels) == ("chen", ["json://localhost:9099/chen"])


def test_a_change_is_announced(connection: psycopg.Connection[Any], any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as listener:
        listener.execute("LISTEN registry")
        load(connection, without_passwords(), now=NOW)
        load(connection, without_passwords(), now=NOW)
        load(connection, without_passwords(("柳庄-01", "柳庄-11")), now=NOW)
        heard = [note.payload for note in listener.notifies(timeout=60, stop_after=2)]
        assert heard == ["2", "3"]


def test_loaders_at_the_same_time_do_not_meet(connection: psycopg.Connection[Any], any_database: str) -> None:
    def once(_: int) -> int:
        with psycopg.connect(any_database) as own:
            return load(own, without_passwords(), now=NOW).changes

    with ThreadPoolExecutor(4) as pool:
        changes = sorted(pool.map(once, range(4)))
    assert changes[:3] == [0, 0, 0]
    assert connection.execute("SELECT count(*) FROM binding").fetchall() == [(6,)]


@pytest.mark.parametrize("every_s", [0, 11])
def test_a_continuous_device_too_slow_for_the_rules_is_refused_by_the_database_too(
    connection: psycopg.Connection[Any], every_s: int
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("INSERT INTO device (key, kind, expected_every_s) VALUES ('x', 'oximeter', %s)", [every_s])


@pytest.mark.parametrize("every_s", ["1", "10"])
def test_a_continuous_device_with_a_sample_in_every_bucket_is_taken(
    connection: psycopg.Connection[Any], every_s: str
) -> None:
    load(connection, without_passwords(("every_s = 1\n", f"every_s = {every_s}\n")), now=NOW)
    found = connection.execute("SELECT expected_every_s FROM device WHERE key = 'C0:00:00:00:00:01'").fetchall()
    assert found == [(int(every_s),)]
