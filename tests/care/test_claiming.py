"""Claims by people and by the file: one transaction each, a history that nobody rewrites, told to who listens."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from care.claiming import claim, release
from care.claims import CLAIMS_MAX, ClaimRefused, ClaimWish, Obstacle, Wearer
from care.loading import load
from care.registry import DeviceKind
from care.registry_file import RegistryFileError
from tests.care.example import without_passwords

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KNOWN, NEW = "C0:00:00:00:00:01", "C0:00:00:00:00:0A"
Connection = psycopg.Connection[Any]
GATEWAY = '[gateway.gw-demo]\norganisation = "liuzhuang-village"\n'
SECOND = (GATEWAY, '[gateway.gw-2]\norganisation = "liuzhuang-village"\n' + GATEWAY)


@pytest.fixture
def connection(any_database: str) -> Any:
    """A connection to a fresh database with the example in it, on each flavour."""
    with psycopg.connect(any_database, autocommit=True) as opened:
        load(opened, without_passwords(SECOND), now=NOW - timedelta(days=1))
        yield opened


def wish(device_key: str = NEW, *, gateway_id: str = "gw-demo", **changes: Any) -> ClaimWish:
    values: dict[str, Any] = {"driver": None, "kind": DeviceKind.OXIMETER, "continuous": True} | changes
    return ClaimWish(gateway_id=gateway_id, device_key=device_key, **values)


def make(connection: Connection, one: ClaimWish, *, now: datetime = NOW) -> None:
    claim(connection, one, person_id=person(connection, "sun"), now=now)


def person(connection: Connection, key: str) -> int:
    [number] = connection.execute("SELECT person_id FROM person WHERE key = %s", [key]).fetchone() or (0,)
    return int(number)


def rows(connection: Connection, statement: str) -> list[tuple[Any, ...]]:
    return connection.execute(statement.encode()).fetchall()


def standing(connection: Connection) -> list[tuple[Any, ...]]:
    statement = "SELECT gateway_id, device_key, driver FROM care_claim WHERE released_at IS NULL"
    return sorted(rows(connection, statement), key=str)


def known(connection: Connection, device_key: str) -> list[tuple[Any, ...]]:
    statement = "SELECT kind, wellness, expected_every_s FROM device WHERE key = %s"
    return connection.execute(statement, [device_key]).fetchall()


def worn(connection: Connection, device_key: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT p.key, valid_from, valid_until FROM care_binding JOIN patient p USING (patient_id)"
        " WHERE device_key = %s ORDER BY valid_from",
        [device_key],
    ).fetchall()


def test_an_unknown_device_is_entered_claimed_bound_and_written_down_at_once(connection: Connection) -> None:
    before = rows(connection, "SELECT version FROM registry_version")[0][0]
    make(connection, wish(driver="jumper", wearer=Wearer(patient_key="p7")))
    assert standing(connection) == [("gw-demo", NEW, "jumper")]
    assert known(connection, NEW) == [("oximeter", False, 1)]
    assert worn(connection, NEW) == [("p7", NOW, None)]
    acts = rows(connection, "SELECT p.key, a.at, a.act, a.detail FROM registry_act a JOIN person p USING (person_id)")
    detail = {"gateway": "gw-demo", "device": NEW, "driver": "jumper", "entered": True, "wearer": {"patient": "p7"}}
    assert acts == [("sun", NOW, "claimed", detail)]
    assert rows(connection, "SELECT version FROM registry_version") == [(before + 1,)]


def test_a_device_that_is_not_yet_worn_is_bound_to_nobody(connection: Connection) -> None:
    make(connection, wish(kind=DeviceKind.THERMOMETER, continuous=False, wearer=Wearer(patient_key=None)))
    assert (worn(connection, NEW), standing(connection)) == ([], [("gw-demo", NEW, None)])
    assert known(connection, NEW) == [("thermometer", False, None)]


def test_who_wears_a_known_device_stays_unless_another_is_named(connection: Connection) -> None:
    since = datetime(2019, 12, 31, 16, 0, tzinfo=UTC)
    make(connection, wish(KNOWN, kind=DeviceKind.SCALE, continuous=False))
    assert worn(connection, KNOWN) == [("p1", since, None)]
    assert known(connection, KNOWN) == [("oximeter", False, 1)]
    make(connection, wish(KNOWN, wearer=Wearer(patient_key="p1")))
    assert worn(connection, KNOWN) == [("p1", since, None)]
    make(connection, wish(KNOWN, wearer=Wearer(patient_key="p7")))
    assert worn(connection, KNOWN) == [("p1", since, NOW), ("p7", NOW, None)]
    make(connection, wish(KNOWN, wearer=Wearer(patient_key=None)), now=NOW + timedelta(hours=1))
    assert worn(connection, KNOWN) == [("p1", since, NOW), ("p7", NOW, NOW + timedelta(hours=1))]


def test_two_gateways_may_read_one_device(connection: Connection) -> None:
    make(connection, wish())
    make(connection, wish(gateway_id="gw-2"))
    assert standing(connection) == [("gw-2", NEW, None), ("gw-demo", NEW, None)]
    release(connection, "gw-2", NEW, unbind=False, person_id=person(connection, "li"), now=NOW)
    assert standing(connection) == [("gw-demo", NEW, None)]


def test_the_same_claim_again_changes_and_records_nothing(connection: Connection) -> None:
    make(connection, wish(wearer=Wearer(patient_key="p7")))
    before = rows(connection, "SELECT version FROM registry_version")
    make(connection, wish(wearer=Wearer(patient_key="p7")), now=NOW + timedelta(hours=1))
    assert rows(connection, "SELECT claimed_at FROM claim") == [(NOW,)]
    assert rows(connection, "SELECT count(*) FROM registry_act") == [(1,)]
    assert rows(connection, "SELECT version FROM registry_version") == before


def test_another_driver_is_a_new_claim_and_the_old_one_is_history(connection: Connection) -> None:
    make(connection, wish())
    make(connection, wish(driver="jumper"), now=NOW + timedelta(hours=1))
    assert rows(connection, "SELECT driver, claimed_at, released_at FROM claim ORDER BY claim_id") == [
        (None, NOW, NOW + timedelta(hours=1)),
        ("jumper", NOW + timedelta(hours=1), None),
    ]


@pytest.mark.parametrize("unbind", [True, False])
def test_a_release_ends_the_claim_by_name_and_the_wearing_only_where_asked(
    connection: Connection, unbind: bool
) -> None:
    make(connection, wish(wearer=Wearer(patient_key="p7")))
    later = NOW + timedelta(hours=1)
    release(connection, "gw-demo", NEW, unbind=unbind, person_id=person(connection, "li"), now=later)
    assert standing(connection) == []
    assert rows(
        connection, "SELECT p.key, c.released_at FROM claim c JOIN person p ON p.person_id = c.released_by"
    ) == [("li", later)]
    assert worn(connection, NEW) == [("p7", NOW, later if unbind else None)]
    assert rows(connection, "SELECT act, detail->'unbind' FROM registry_act ORDER BY act_id")[1] == ("released", unbind)
    with pytest.raises(ClaimRefused, match="not_claimed: gw-demo does not read"):
        release(connection, "gw-demo", NEW, unbind=False, person_id=person(connection, "li"), now=later)


@pytest.mark.parametrize(
    ("refused", "obstacle", "said"),
    [
        (wish(gateway_id="gw-x"), Obstacle.NO_GATEWAY, "'gw-x'"),
        (wish("oximeter-1"), Obstacle.NO_ADDRESS, "'oximeter-1'"),
        (wish(NEW.lower()), Obstacle.NO_ADDRESS, "'c0:00"),
        (wish(wearer=Wearer(patient_key="nobody")), Obstacle.NO_PATIENT, "'nobody'"),
    ],
)
def test_what_can_not_be_claimed_is_refused_by_name_and_leaves_nothing(
    connection: Connection, refused: ClaimWish, obstacle: Obstacle, said: str
) -> None:
    with pytest.raises(ClaimRefused, match=said) as caught:
        make(connection, refused)
    assert caught.value.obstacle is obstacle
    assert rows(connection, "SELECT count(*) FROM device") == [(6,)]
    assert rows(connection, "SELECT FROM claim UNION ALL SELECT FROM registry_act") == []


def test_a_gateway_reads_as_many_devices_as_a_config_holds_and_no_more(connection: Connection) -> None:
    for number in range(CLAIMS_MAX):
        make(connection, wish(f"D0:00:00:00:00:{number:02X}"))
    with pytest.raises(ClaimRefused, match="too_many: gw-demo reads 64 devices already"):
        make(connection, wish())
    make(connection, wish(f"D0:00:00:00:00:{5:02X}", driver="jumper"))
    with pytest.raises(ClaimRefused, match="gw-demo would read more than 64 devices"):
        load(connection, with_gateway("gw-demo"), now=NOW)
    assert len(standing(connection)) == CLAIMS_MAX


def test_people_who_claim_at_the_same_time_do_not_meet(connection: Connection, any_database: str) -> None:
    def once(number: int) -> None:
        with psycopg.connect(any_database, autocommit=True) as own:
            claim(own, wish(wearer=Wearer(patient_key=f"p{number}")), person_id=person(own, "sun"), now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, [1, 2, 3, 4]))
    assert standing(connection) == [("gw-demo", NEW, None)]
    assert [until for _, _, until in worn(connection, NEW)] == [None]


@pytest.mark.parametrize(
    "rewriting",
    [
        "DELETE FROM claim",
        "UPDATE claim SET driver = 'x'",
        "UPDATE claim SET claimed_by = NULL, released_at = now()",
        "UPDATE claim SET released_at = NULL WHERE released_at IS NOT NULL",
        "UPDATE registry_act SET act = 'released'",
        "DELETE FROM registry_act",
    ],
)
def test_history_can_not_be_rewritten(connection: Connection, rewriting: str) -> None:
    make(connection, wish())
    make(connection, wish(driver="jumper"))
    with pytest.raises(psycopg.errors.RestrictViolation, match="is history"):
        connection.execute(rewriting.encode())


def test_claims_are_announced_and_nothing_is_where_nothing_changed(connection: Connection, any_database: str) -> None:
    with psycopg.connect(any_database, autocommit=True) as listener:
        listener.execute("LISTEN claim")
        make(connection, wish())
        make(connection, wish())
        release(connection, "gw-demo", NEW, unbind=False, person_id=person(connection, "li"), now=NOW)
        load(connection, with_gateway("gw-demo"), now=NOW)
        load(connection, with_gateway("gw-demo"), now=NOW)
        connection.execute("SELECT pg_notify('claim', 'end')")
        heard = [note.payload for note in listener.notifies(timeout=60, stop_after=4)]
    assert heard == ["", "", "", "end"]


def with_gateway(gateway_id: str) -> Any:
    """The example, its first device read by a gateway."""
    return without_passwords(SECOND, (f'[device."{KNOWN}"]\n', f'[device."{KNOWN}"]\ngateway = "{gateway_id}"\n'))


def test_a_file_claims_and_moves_what_it_claimed_but_nothing_that_people_did(connection: Connection) -> None:
    assert load(connection, with_gateway("gw-demo"), now=NOW).claims == 1
    assert load(connection, with_gateway("gw-demo"), now=NOW).changes == 0
    make(connection, wish(KNOWN, gateway_id="gw-2"))
    assert load(connection, without_passwords(SECOND), now=NOW).claims == 1
    assert standing(connection) == [("gw-2", KNOWN, None)]
    assert load(connection, with_gateway("gw-2"), now=NOW).changes == 0, "somebody claimed it already"
    release(connection, "gw-2", KNOWN, unbind=False, person_id=person(connection, "li"), now=NOW)
    assert load(connection, with_gateway("gw-2"), now=NOW).claims == 1
    assert load(connection, with_gateway("gw-demo"), now=NOW + timedelta(hours=1)).claims == 2
    assert rows(
        connection, "SELECT gateway_id, claimed_by, released_at IS NULL FROM claim ORDER BY claim_id DESC LIMIT 2"
    ) == [
        ("gw-demo", None, True),
        ("gw-2", None, False),
    ]


def test_what_was_said_by_hand_is_not_undone_by_a_file_that_is_older(connection: Connection) -> None:
    make(connection, wish(KNOWN, wearer=Wearer(patient_key="p7")))
    loaded = load(connection, without_passwords(SECOND), now=NOW + timedelta(hours=1))
    assert (loaded.changes, loaded.bound_by_hand) == (0, (KNOWN,))
    assert [patient for patient, _, until in worn(connection, KNOWN) if until is None] == ["p7"]
    release(connection, "gw-demo", KNOWN, unbind=True, person_id=person(connection, "li"), now=NOW + timedelta(hours=2))
    assert load(connection, without_passwords(SECOND), now=NOW + timedelta(hours=3)).changes == 0
    assert [patient for patient, _, until in worn(connection, KNOWN) if until is None] == []


def test_a_claim_that_leaves_the_wearer_alone_leaves_the_file_its_say(connection: Connection) -> None:
    make(connection, wish(KNOWN))
    swapped = without_passwords(SECOND, (f'device = "{KNOWN}"\npatient = "p1"', f'device = "{KNOWN}"\npatient = "p7"'))
    assert load(connection, swapped, now=NOW).bindings == 2


LAST = '[device."C0:00:00:00:00:06"]\n'
CROWD = "".join(f'[device."D0:00:00:00:00:{n:02X}"]\nkind = "scale"\ngateway = "gw-demo"\n' for n in range(65))


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (LAST + 'gateway = "gw-dem"\n', "did you mean 'gw-demo'"),
        ('[device.ox-6]\nkind = "oximeter"\ngateway = "gw-demo"\n' + LAST, "'ox-6' is none"),
        (CROWD + LAST, "is to read 65 devices, at most 64"),
    ],
)
def test_a_wrong_gateway_in_a_file_is_named(new: str, says: str) -> None:
    with pytest.raises(RegistryFileError, match=says):
        without_passwords((LAST, new))
