"""Status, contacts, consent, teams, kits, shared devices: who may say what, what it does, and what stays on record."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any

import psycopg
import pytest

from care import consent, keeping, kits
from care.claiming import claim
from care.claims import ClaimRefused, ClaimWish, Wearer
from care.consent import Consent, ConsentRefused, GivenBy, Purpose
from care.contacts import Contact, Relation
from care.kit import KitRefused, KitState
from care.loading import load
from care.registry import DeviceKind, PersonRole, RiskColour, ServiceTier
from care.registry_file import RegistryFileError
from care.status import KEEPERS, TRANSITIONS, Change, Status, StatusRefused, check, possible
from care.tier import tier_by_table
from tests.care.example import example
from tests.care.test_sheets import IN_TEAM, MORE, full

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OXIMETER, THERMOMETER = "C0:00:00:00:00:01", "C0:00:00:00:00:05"


def change(to: Status, **said: Any) -> Change:
    place = "县医院" if to is Status.ADMITTED else ""
    return Change(**{"to": to, "at": NOW, "reason": "电话告知", "place": place} | said)


@pytest.mark.parametrize(("was", "to"), list(product(Status, Status)))
@pytest.mark.parametrize("role", PersonRole)
def test_a_status_changes_only_as_the_matrix_says(was: Status, to: Status, role: PersonRole) -> None:
    may = role in TRANSITIONS.get((was, to), frozenset())
    assert (to in possible(was, role)) == may
    if may:
        check(change(to), was=was, since=NOW - MINUTE, role=role, now=NOW)
    else:
        with pytest.raises(StatusRefused):
            check(change(to), was=was, since=NOW - MINUTE, role=role, now=NOW)


def test_everybody_can_come_back_and_anybody_can_die_but_only_an_admin_undoes_a_death() -> None:
    for was in Status:
        assert any(come is was and to is not was for come, to in TRANSITIONS)
        assert was is Status.DEAD or TRANSITIONS[was, Status.DEAD] == KEEPERS
    assert {to for come, to in TRANSITIONS if come is Status.DEAD} == {Status.ACTIVE}
    assert TRANSITIONS[Status.DEAD, Status.ACTIVE] == {PersonRole.ADMIN}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (change(Status.AWAY, reason=" "), "needs a reason"),
        (change(Status.AWAY, at=NOW + MINUTE), "is yet to come"),
        (change(Status.AWAY, at=NOW - timedelta(days=9)), "is before"),
        (change(Status.AWAY, until=NOW), "has passed"),
        (change(Status.DEAD, until=NOW + MINUTE), "only somebody away"),
        (change(Status.ADMITTED, place=""), "name the hospital"),
        (change(Status.DEAD, place="x"), "leave the place out"),
    ],
)
def test_what_has_to_be_said_with_a_status(said: Change, why: str) -> None:
    with pytest.raises(StatusRefused, match=why):
        check(said, was=Status.ACTIVE, since=NOW - timedelta(days=1), role="admin", now=NOW)


@pytest.mark.parametrize(("born", "refused"), [(date(2012, 3, 1), False), (date(2012, 3, 2), True)])
def test_a_child_under_fourteen_needs_a_guardian(born: date, refused: bool) -> None:
    said = Consent(
        patient="p", purpose=Purpose.RESEARCH, version="1", given=True, given_by=GivenBy.PATIENT, guardian="", at=NOW
    )
    if not refused:
        consent.check(said, born_on=born, on=date(2026, 3, 1))
        return
    with pytest.raises(ConsentRefused, match="a guardian has to consent"):
        consent.check(said, born_on=born, on=date(2026, 3, 1))


@pytest.mark.parametrize("colour", RiskColour)
def test_the_tier_follows_the_colour_and_an_open_case_is_tier_3(colour: RiskColour) -> None:
    by_colour = {RiskColour.GREEN: 1, RiskColour.YELLOW: 2, RiskColour.RED: 3}
    assert tier_by_table(colour, case_open=False) == by_colour[colour]
    assert tier_by_table(colour, case_open=True) is ServiceTier.THREE


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"li"\nnurse', '"sun"\nnurse', "'sun' has another role than family_doctor"),
        ('"li"\nnurse', '"chen"\nnurse', "'willow' has the family doctor 'chen', the patient has 'li'"),
        ('relation = "child"', 'relation = "son"', "'son' is not one of spouse, child"),
        ('devices = ["C0', 'devices = ["D0', "'D0:00:00:00:00:05' is no device of this file"),
        ('given_by = "patient"', 'given_by = "guardian"', "needs the guardian's name"),
        ('version = "2026-01"', 'version = ""', "is empty"),
        ('"志愿者 赵强"', '"网格员 王芳 0318-555-0200"', "stands there twice"),
    ],
)
def test_the_file_says_what_is_wrong_with_teams_contacts_consents_and_kits(old: str, new: str, said: str) -> None:
    with pytest.raises(RegistryFileError, match=said):
        example(IN_TEAM, ("# --- 值班 Duty", MORE.replace(old, new) + "# --- 值班 Duty"))


@pytest.fixture
def connection(any_database: str) -> Any:
    """The example with a team, contacts, a consent and a kit; an admin and a doctor who act."""
    with psycopg.connect(any_database, autocommit=True) as opened:
        load(opened, full(), now=NOW - timedelta(days=1))
        opened.execute("UPDATE person SET role = 'admin' WHERE key = 'ops'")
        yield opened


def person(connection: Any, key: str = "li") -> int:
    return int(connection.execute("SELECT person_id FROM person WHERE key = %s", [key]).fetchone()[0])


def worn(connection: Any, device: str) -> list[Any]:
    return connection.execute(
        "SELECT p.key, valid_from, valid_until FROM care_binding JOIN patient p USING (patient_id)"
        " WHERE device_key = %s AND valid_until IS DISTINCT FROM valid_from ORDER BY valid_from",
        [device],
    ).fetchall()


def at(connection: Any, device: str, when: datetime) -> list[str]:
    """Give whom a reading of then would go to."""
    rows = connection.execute(
        "SELECT p.key FROM care_binding JOIN patient p USING (patient_id) WHERE device_key = %s AND valid_from <= %s"
        " AND (valid_until IS NULL OR valid_until > %s)",
        [device, when, when],
    ).fetchall()
    return [row[0] for row in rows]


def test_who_has_died_wears_nothing_from_then_on_and_the_file_does_not_bring_it_back(connection: Any) -> None:
    died = NOW - 10 * MINUTE
    said = change(Status.DEAD, at=died)
    keeping.change_status(connection, "p1", said, person_id=person(connection), now=NOW)
    assert [row[2] for row in worn(connection, OXIMETER)] == [died]
    load(connection, full(), now=NOW + MINUTE)
    connection.execute("UPDATE person SET role = 'admin' WHERE key = 'ops'")  # the file knows no admin
    assert at(connection, OXIMETER, NOW + MINUTE) == []
    with pytest.raises(StatusRefused, match="family_doctor may not"):
        keeping.change_status(connection, "p1", change(Status.ACTIVE), person_id=person(connection), now=NOW)
    keeping.change_status(connection, "p1", change(Status.ACTIVE), person_id=person(connection, "ops"), now=NOW)
    history = connection.execute("SELECT status, reason, person_name FROM care_patient_status_history ORDER BY 1")
    assert history.fetchall() == [("active", "电话告知", "运维值班"), ("dead", "电话告知", "李医生")]


@pytest.mark.parametrize("to", [Status.AWAY, Status.ADMITTED, Status.DISCHARGED])
def test_devices_stay_bound_to_who_is_away(connection: Any, to: Status) -> None:
    keeping.change_status(connection, "p1", change(to), person_id=person(connection), now=NOW)
    assert at(connection, OXIMETER, NOW) == ["p1"]
    [(expected,)] = connection.execute("SELECT expected_from::text FROM care_expected_from").fetchall()
    assert expected == "infinity"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE patient_status SET reason = 'x'",
        "DELETE FROM patient_status",
        "UPDATE contact SET name = 'x'",
        "UPDATE contact SET name = 'x', ended_at = now()",
        "DELETE FROM contact",
        "UPDATE consent SET given = false",
        "DELETE FROM consent",
        "UPDATE team_member SET joined_at = now()",
        "DELETE FROM team_patient",
        "UPDATE kit_loan SET lent_at = now()",
        "DELETE FROM kit_loan",
    ],
)
def test_what_was_said_is_history(connection: Any, statement: str) -> None:
    keeping.change_status(connection, "p1", change(Status.AWAY), person_id=person(connection), now=NOW)
    kits.lend(connection, "box-1", "p5", person_id=person(connection), now=NOW)
    with pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute(statement)


def test_contacts_are_replaced_in_order_and_the_file_speaks_only_of_those_it_has(connection: Any) -> None:
    def named(query: str = "SELECT place, c.name FROM care_contact c JOIN patient p USING (patient_id)") -> list[Any]:
        rows: list[Any] = connection.execute(query + " WHERE p.key = 'p1' ORDER BY place").fetchall()
        return rows

    assert named() == [(1, "张伟"), (2, "李奶奶")]
    new = Contact(
        patient="p1", name="张芳", relation=Relation.CHILD, phone="1", channels=(), may_be_told=True, lives_with=True
    )
    assert keeping.set_contacts(connection, "p1", [new], person_id=person(connection), now=NOW) == 3
    assert named() == [(1, "张芳")]
    assert keeping.set_contacts(connection, "p1", [new], person_id=person(connection), now=NOW) == 0
    assert len(named("SELECT place, c.name FROM contact c JOIN patient p USING (patient_id)")) == 3


def test_a_withdrawn_consent_is_the_one_that_holds_and_unbinds_nobody(connection: Any) -> None:
    said = Consent(
        patient="p1", purpose=Purpose.TELEMONITORING, version="2026-01", given=False, given_by=GivenBy.PATIENT,
        guardian="", at=NOW,
    )  # fmt: skip
    keeping.record_consent(connection, said, person_id=person(connection), now=NOW)
    assert connection.execute("SELECT given FROM care_consent WHERE purpose = 'telemonitoring'").fetchall() == [
        (False,)
    ]
    assert at(connection, OXIMETER, NOW) == ["p1"]
    keeping.unbind(connection, "p1", OXIMETER, person_id=person(connection), now=NOW)
    assert at(connection, OXIMETER, NOW) == []
    with pytest.raises(keeping.Unknown, match="'p1' does not wear"):
        keeping.unbind(connection, "p1", OXIMETER, person_id=person(connection), now=NOW)


def test_a_kit_is_lent_to_one_and_its_return_ends_the_bindings(connection: Any) -> None:
    me = person(connection)
    with pytest.raises(KitRefused, match="is worn by p5: unbind it first"):
        kits.lend(connection, "box-1", "p7", person_id=me, now=NOW)
    kits.lend(connection, "box-1", "p5", person_id=me, now=NOW)
    with pytest.raises(KitRefused, match="is lent to p5"):
        kits.lend(connection, "box-1", "p7", person_id=me, now=NOW)
    with pytest.raises(KitRefused, match="say what is missing"):
        kits.give_back(connection, "box-1", KitState.MISSING, person_id=me, now=NOW)
    kits.give_back(connection, "box-1", KitState.MISSING, missing="充电线", person_id=me, now=NOW + MINUTE)
    assert at(connection, THERMOMETER, NOW + MINUTE) == []
    kits.lend(connection, "box-1", "p7", person_id=me, now=NOW + 2 * MINUTE)
    assert at(connection, THERMOMETER, NOW + 3 * MINUTE) == ["p7"]
    kits.give_back(connection, "box-1", KitState.COMPLETE, person_id=me, now=NOW + 4 * MINUTE)
    with pytest.raises(KitRefused, match="not lent"):
        kits.give_back(connection, "box-1", KitState.COMPLETE, person_id=me, now=NOW + 5 * MINUTE)


@pytest.fixture
def shared(connection: Any) -> Any:
    """The thermometer as the residents' own, worn by nobody."""
    keeping.unbind(connection, "p5", THERMOMETER, person_id=person(connection), now=NOW - MINUTE)
    connection.execute("UPDATE device SET shared = true WHERE key = %s", [THERMOMETER])
    return connection


def test_two_residents_one_device_and_nobody_after_ten_minutes(shared: Any) -> None:
    me = person(shared)
    kits.choose(shared, THERMOMETER, "p1", person_id=me, now=NOW)
    kits.choose(shared, THERMOMETER, "p2", person_id=me, now=NOW + 4 * MINUTE)
    tick = timedelta(microseconds=1)
    given = {
        NOW - tick: [], NOW: ["p1"], NOW + 4 * MINUTE - tick: ["p1"], NOW + 4 * MINUTE: ["p2"],
        NOW + 14 * MINUTE - tick: ["p2"], NOW + 14 * MINUTE: [],
    }  # fmt: skip
    assert {when: at(shared, THERMOMETER, when) for when in given} == given
    kits.choose(shared, THERMOMETER, "p2", person_id=me, now=NOW + 5 * MINUTE)
    assert at(shared, THERMOMETER, NOW + 15 * MINUTE - tick) == ["p2"]
    assert at(shared, THERMOMETER, NOW + 15 * MINUTE) == []
    kits.choose(shared, THERMOMETER, None, person_id=me, now=NOW + 6 * MINUTE)
    assert at(shared, THERMOMETER, NOW + 6 * MINUTE) == []
    acts = shared.execute("SELECT act, detail->>'patient' FROM registry_act WHERE act = 'chosen'").fetchall()
    assert [row[1] for row in acts] == ["p1", "p2", "p2", None]


def test_a_shared_device_is_bound_to_nobody_for_long(shared: Any) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="ten minutes at most"):
        shared.execute("INSERT INTO binding (device_id, patient_id, valid) SELECT device_id, 1, '[2030-01-01,)'"
                       " FROM device WHERE shared")  # fmt: skip
    shared.execute("INSERT INTO gateway SELECT 'gw-x', organisation_id FROM organisation LIMIT 1")
    wish = ClaimWish(
        gateway_id="gw-x", device_key=THERMOMETER, driver=None, kind=DeviceKind.THERMOMETER, continuous=False,
        wearer=Wearer(patient_key="p1"),
    )  # fmt: skip
    with pytest.raises(ClaimRefused, match="bound for each measurement"):
        claim(shared, wish, person_id=person(shared), now=NOW)
    with pytest.raises(keeping.Unknown, match="no shared device"):
        kits.choose(shared, OXIMETER, "p1", person_id=person(shared), now=NOW)


def test_a_device_that_the_file_makes_shared_is_worn_by_nobody_from_then_on(connection: Any) -> None:
    bound = '[[binding]]\ndevice = "C0:00:00:00:00:05"\npatient = "p5"\nfrom = 2020-01-01T00:00:00+08:00\n'
    changed = example(('kind = "thermometer"', 'kind = "thermometer"\nshared = true'), (bound, ""))
    load(connection, changed, now=NOW)
    assert at(connection, THERMOMETER, NOW) == []


def test_who_was_in_a_team_stays_known(connection: Any) -> None:
    changed = MORE.replace('nurse = "sun"', 'nurse = "zhao"') + "# --- 值班 Duty"
    load(connection, example(IN_TEAM, ("# --- 值班 Duty", changed)), now=NOW)
    rows = connection.execute(
        "SELECT name, joined_at, left_at FROM care_team_member WHERE team_key = 'willow' AND member_role = 'nurse'"
        " ORDER BY joined_at"
    ).fetchall()
    assert rows == [("孙护士", NOW - timedelta(days=1), NOW), ("赵医生(镇值班)", NOW, None)]
