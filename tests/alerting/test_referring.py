"""A referral from the decision to the return home, on real databases: who is paged when, and what every step leaves."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from alerting.acting import ActError
from alerting.acts import (
    acknowledge,
    decide,
    possible_acts,
    possible_of_referrals,
    refer,
    say_of_referral,
)
from alerting.cases.referring import Seen
from alerting.cases.transfer import Event, Refusal
from alerting.escalation import tick
from alerting.patient_acts import change_status
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.sweep import sweep
from care.referral import Driver, Picture, Severity
from care.status import Change, Status
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward

DOCTOR, DUTY, EXPERT, OPERATIONS, FIRST, SECOND, CARS, AUTHORITY = range(1, 9)
HOSPITALS = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id, capabilities) VALUES
    (10, 'first', '定点医院', 'First', 'designated', 1, '{icu,haemodialysis}'),
    (11, 'second', '县医院', 'Second', 'lead_hospital', 1, '{icu}'),
    (12, 'small', '亚定点', 'Small', 'sub_designated', 1, '{}');
INSERT INTO route (organisation_id, facility_role, place, facility_id) VALUES (1, 'designated', 1, 10);
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES
    (5, 'first-desk', '定点转诊台', 'First desk', 10, 'referral_desk', 3, '{json://localhost:1/first}'),
    (6, 'second-desk', '县医院转诊台', 'Second desk', 11, 'referral_desk', 3, '{json://localhost:1/second}'),
    (7, 'cars', '车队', 'Cars', 1, 'dispatcher', 2, '{json://localhost:1/cars}'),
    (8, 'authority', '卫健委', 'Authority', 1, 'authority', 3, '{json://localhost:1/authority}');
INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES
    (10, 'referral_desk', 5, '[2020-01-01 00:00+00,)'), (11, 'referral_desk', 6, '[2020-01-01 00:00+00,)'),
    (1, 'transport', 7, '[2020-01-01 00:00+00,)'), (1, 'authority', 8, '[2020-01-01 00:00+00,)');
"""
SEVERE = Picture(severity=Severity.SEVERE, driver=Driver.INFECTION)


class Clinic:
    """The ward's patient 1 in a critical fall, acknowledged by the county's expert."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        ward.connection.execute(HOSPITALS.encode())
        ward.spo2(1, [8400] * FALL_S)
        self.episode_id = ward.episodes()[0].episode_id
        self.act = {"episode_id": self.episode_id, "channel": "test"}
        acknowledge(ward.connection, person_id=EXPERT, now=ward.now, **self.act)

    def refer(self, picture: Picture = SEVERE) -> int:
        return refer(
            self.ward.connection,
            person_id=EXPERT,
            picture=picture,
            note="please",
            now=self.ward.now,
            link="http://console",
            **self.act,
        )

    def say(self, event: Event, person_id: int, **more: Any) -> None:
        (referral_id,) = {r.referral_id for r in self.referrals() if r.stage != "ended"}
        say_of_referral(
            self.ward.connection,
            referral_id=referral_id,
            person_id=person_id,
            event=event,
            channel="test",
            now=self.ward.now,
            **more,
        )

    def referrals(self) -> list[Any]:
        return self.ward.connection.execute("SELECT * FROM referral ORDER BY referral_id").fetchall()

    @property
    def referral(self) -> Any:
        return self.referrals()[-1]

    @property
    def episode(self) -> Any:
        return self.ward.episodes()[0]

    def paged_since(self, before: int) -> list[str]:
        return [who for _, _, who in self.ward.notices()[before:]]

    def refusals(self) -> list[tuple[int, str]]:
        rows = self.ward.connection.execute("SELECT facility_id, refusal FROM refusal ORDER BY event_id").fetchall()
        return [(row.facility_id, row.refusal) for row in rows]


@pytest.fixture
def clinic(ward: Ward) -> Clinic:
    return Clinic(ward)


def test_the_table_sends_him_to_the_designated_hospital_and_its_desk_is_paged(clinic: Clinic) -> None:
    before = len(clinic.ward.notices())
    clinic.refer()
    referral = clinic.referral
    assert (referral.clause, referral.ward, referral.vehicle, referral.facility_id) == ("3b", "sub_icu", "ems_120", 10)
    assert (referral.stage, referral.candidates) == ("offered", [11])
    assert referral.due_at == clinic.ward.now + timedelta(minutes=10)
    assert clinic.paged_since(before) == ["定点转诊台", "李医生", "王主任", "b1"]
    texts = clinic.ward.connection.execute("SELECT body FROM notice ORDER BY notice_id").fetchall()[before:]
    assert "accept within 10 min" in texts[0].body
    assert all("CALL 120 NOW" in text.body for text in texts[1:4])
    assert f"http://console/referrals#referral-{referral.referral_id}" in texts[0].body
    assert clinic.episode.state == "referred"


def test_the_closed_loop_out_and_back(clinic: Clinic) -> None:
    clinic.refer()
    way = (
        (Event.ACCEPT, FIRST, ["李医生", "b1"]),
        (Event.DEPART, DOCTOR, ["定点转诊台"]),
        (Event.ARRIVE, FIRST, ["李医生"]),
        (Event.ADMIT, FIRST, ["李医生"]),
        (Event.DISCHARGE, FIRST, ["李医生"]),
        (Event.RETURN, DOCTOR, ["李医生"]),
    )
    for event, person_id, paged in way:
        clinic.ward.now += timedelta(minutes=5)
        before = len(clinic.ward.notices())
        clinic.say(event, person_id)
        assert clinic.paged_since(before)[: len(paged)] == paged, event
    referral = clinic.referral
    assert (referral.stage, referral.ended_as, referral.due_at) == ("ended", "return", None)
    clocks = [referral.opened_at, referral.accepted_at, referral.departed_at, referral.arrived_at, referral.admitted_at]
    clocks += [referral.discharged_at, referral.returned_at]
    assert [later - earlier for earlier, later in pairwise(clocks)] == [timedelta(minutes=5)] * 6
    assert (clinic.episode.state, clinic.episode.tier3) == ("monitor", True)
    kinds = clinic.ward.connection.execute("SELECT kind, to_stage FROM referral_event ORDER BY event_id").fetchall()
    assert [tuple(row) for row in kinds] == [
        ("opened", "offered"),
        ("accept", "accepted"),
        ("depart", "in_transit"),
        ("arrive", "received"),
        ("admit", "admitted"),
        ("discharge", "returning"),
        ("return", "ended"),
    ]


def test_a_case_ends_only_when_the_condition_was_over_for_a_day_and_by_the_county(clinic: Clinic) -> None:
    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE, Event.DISCHARGE):
        clinic.say(event, FIRST)
    clinic.say(Event.RETURN, DOCTOR)
    ward = clinic.ward
    with pytest.raises(ActError, match="county team's"):
        decide(ward.connection, person_id=DOCTOR, disposition="close", note="", now=ward.now, **clinic.act)
    with pytest.raises(ActError, match="over for 24 h"):
        decide(ward.connection, person_id=EXPERT, disposition="step_down", note="", now=ward.now, **clinic.act)
    ward.spo2(1, [9700] * 700)
    assert clinic.episode.condition == "cleared"
    ward.now += timedelta(hours=24)
    decide(ward.connection, person_id=EXPERT, disposition="step_down", note="", now=ward.now, **clinic.act)
    assert (clinic.episode.state, clinic.episode.tier3, clinic.episode.service_tier) == ("monitor", False, 2)
    decide(ward.connection, person_id=DOCTOR, disposition="close", note="", now=ward.now, **clinic.act)
    assert clinic.episode.state == "closed"


def test_a_refusal_needs_its_reason_goes_to_the_next_and_is_reported(clinic: Clinic) -> None:
    clinic.refer()
    with pytest.raises(ActError, match="no_bed"):
        clinic.say(Event.REJECT, FIRST)
    before = len(clinic.ward.notices())
    clinic.say(Event.REJECT, FIRST, refusal=Refusal.NO_BED, note="all full")
    assert clinic.paged_since(before) == ["县医院转诊台", "卫健委"]
    assert (clinic.referral.stage, clinic.referral.facility_id, clinic.referral.candidates) == ("offered", 11, [])
    assert clinic.refusals() == [(10, "no_bed")]
    with pytest.raises(ActError, match="not for you"):
        clinic.say(Event.ACCEPT, FIRST)
    before = len(clinic.ward.notices())
    clinic.say(Event.REJECT, SECOND, refusal=Refusal.NO_STAFF)
    assert clinic.paged_since(before) == ["王主任", "卫健委", "运维"]
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("unplaced", None)
    assert clinic.refusals() == [(10, "no_bed"), (11, "no_staff")]


def test_nobody_answers_and_the_clock_asks_the_next_and_ends_loud(clinic: Clinic) -> None:
    clinic.refer()
    ward, began = clinic.ward, clinic.ward.now
    stages: dict[int, str] = {}
    for second in range(0, 31 * 60, 5):
        ward.now = began + timedelta(seconds=second)
        ward.pass_time(seconds=0.001)
        stages.setdefault(second // 60, f"{clinic.referral.stage} {clinic.referral.facility_id} {clinic.episode.state}")
    assert stages[9] == "offered 10 referred"
    assert stages[10] == "offered 11 referred"
    assert stages[20] == "unplaced None referred"
    assert stages[25] == "unplaced None exhausted"
    assert clinic.refusals() == [(10, "no_answer"), (11, "no_answer")]


def test_the_county_finds_a_hospital_by_hand(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.REJECT, FIRST, refusal=Refusal.NO_BED)
    clinic.say(Event.REJECT, SECOND, refusal=Refusal.NO_BED)
    with pytest.raises(ActError, match="no hospital that can be asked"):
        clinic.say(Event.OFFER, EXPERT, facility_id=2)
    clinic.say(Event.OFFER, EXPERT, facility_id=12)
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("offered", 12)
    clinic.say(Event.ACCEPT, EXPERT, note="by phone")
    assert clinic.referral.stage == "accepted"


def test_a_late_vehicle_is_chased_then_everybody_is_paged(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    ward = clinic.ward
    before = len(ward.notices())
    ward.now += timedelta(minutes=30)
    ward.pass_time(seconds=0.001)
    assert clinic.paged_since(before)[-2:] == ["定点转诊台", "王主任"]
    assert clinic.episode.state == "referred"
    ward.now += timedelta(minutes=10)
    ward.pass_time(seconds=0.001)
    assert (clinic.episode.state, clinic.referral.stage, clinic.referral.chases) == ("exhausted", "accepted", 2)
    acknowledge(ward.connection, person_id=EXPERT, now=ward.now, **clinic.act)
    possible = possible_acts(ward.connection, episode_id=clinic.episode_id, person_id=EXPERT, now=ward.now)
    assert possible == ["go_on", "note"]
    decide(ward.connection, person_id=EXPERT, disposition="go_on", note="", now=ward.now, **clinic.act)
    assert clinic.episode.state == "referred"


class Counting(psycopg.Cursor[Any]):
    """A cursor that counts what it is asked, all of them together."""

    asked = 0

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        Counting.asked += 1
        return super().execute(*args, **kwargs)


def test_what_may_be_said_of_many_referrals_is_asked_at_once(clinic: Clinic) -> None:
    clinic.refer()
    ward = clinic.ward
    ward.spo2(2, [8400] * FALL_S)
    other = {"episode_id": ward.episodes()[-1].episode_id, "channel": "test", "now": ward.now}
    acknowledge(ward.connection, person_id=EXPERT, **other)
    refer(ward.connection, person_id=EXPERT, picture=SEVERE, note="", **other)
    clinic_1, clinic_2 = (each.referral_id for each in clinic.referrals())
    say_of_referral(
        ward.connection, referral_id=clinic_2, person_id=FIRST, event=Event.ACCEPT, channel="test", now=ward.now
    )
    ward.connection.cursor_factory = Counting
    counts = []
    for which in ([clinic_1], [clinic_1, clinic_2, 99]):
        Counting.asked = 0
        said = {
            person: possible_of_referrals(ward.connection, referrals=which, person_id=person, now=ward.now)
            for person in (FIRST, SECOND, EXPERT, CARS)
        }
        counts.append(Counting.asked)
    assert counts[0] == counts[1]
    assert {"accept", "reject"} <= set(said[FIRST][clinic_1])
    assert "accept" not in said[FIRST][clinic_2]
    assert said[FIRST][99] == []
    assert said[SECOND] == {clinic_1: [], clinic_2: [], 99: []}
    assert "withdraw" in said[EXPERT][clinic_1]
    assert said[CARS] == {clinic_1: ["depart"], clinic_2: ["depart"], 99: []}
    assert "arrive" in said[FIRST][clinic_2]


def paged_at(clinic: Clinic) -> list[tuple[str, str]]:
    """List who was told now, and of what: the last line but the link's of the text."""
    rows = clinic.ward.connection.execute(
        "SELECT recipient, body FROM notice WHERE created_at = %s ORDER BY notice_id", [clinic.ward.now]
    ).fetchall()
    return [(row.recipient, row.body.splitlines()[1].partition(" (since")[0]) for row in rows]


def test_a_stuck_referral_that_exhausts_tells_everybody_once(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    ward = clinic.ward
    for minutes in (30, 10):
        ward.now += timedelta(minutes=minutes)
        tick(ward.desk())
    assert clinic.episode.state == "exhausted"
    told = paged_at(clinic)
    assert sorted(who for who, _ in told) == sorted(["李医生", "值班", "王主任", "运维", "定点转诊台"])
    assert {text for who, text in told if who in {"王主任", "运维"}} == {
        "THE REFERRAL IS STUCK and nobody follows it up: see to it now"
    }


def test_while_everybody_is_rung_a_chase_tells_those_alone_whom_that_does_not_reach(clinic: Clinic) -> None:
    clinic.refer()
    for desk in (FIRST, SECOND):
        clinic.say(Event.REJECT, desk, refusal=Refusal.NO_BED)
    ward = clinic.ward
    exhausted = 0
    for _ in range(6):
        ward.now += timedelta(minutes=5)
        tick(ward.desk())
        exhausted += clinic.episode.state == "exhausted"
        told = [who for who, _ in paged_at(clinic)]
        assert sorted(told) == sorted(["李医生", "值班", "王主任", "运维", "卫健委"]), ward.now
    assert exhausted == 6
    acknowledge(ward.connection, person_id=EXPERT, now=ward.now, **clinic.act)
    ward.now += timedelta(minutes=5)
    tick(ward.desk())
    assert sorted(who for who, _ in paged_at(clinic)) == sorted(["王主任", "运维", "卫健委"])


def test_the_family_doctor_hears_once_that_the_patient_is_home(clinic: Clinic) -> None:
    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE, Event.DISCHARGE):
        clinic.say(event, FIRST)
    clinic.ward.now += timedelta(minutes=5)
    clinic.say(Event.RETURN, DOCTOR)
    assert paged_at(clinic) == [("李医生", "the patient is back home: please follow up")]


def test_two_alarms_that_move_with_one_referral_are_one_page_each(clinic: Clinic) -> None:
    """Another alarm goes on under the referral: when that sticks, both ring, and everybody is told once."""
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    ward = clinic.ward
    ward.pulse(1, [14500] * 700)
    other = ward.episodes()[-1].episode_id
    acknowledge(ward.connection, person_id=EXPERT, now=ward.now, episode_id=other, channel="test")
    how: dict[str, Any] = {"episode_id": other, "channel": "test", "note": ""}
    decide(ward.connection, person_id=EXPERT, disposition="go_on", now=ward.now, **how)
    ward.now = clinic.referral.due_at
    tick(ward.desk())
    ward.now = clinic.referral.due_at
    tick(ward.desk())
    assert {each.state for each in ward.episodes() if not each.technical} == {"exhausted"}
    told = [who for who, text in paged_at(clinic) if "REFERRAL" in text]
    assert sorted(told) == sorted(["李医生", "值班", "王主任", "运维"])


def test_a_new_fall_on_the_way_rings_and_the_referral_goes_on_under_it(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    ward = clinic.ward
    ward.spo2(1, [9700] * 700 + [8400] * FALL_S)
    assert clinic.episode.state == "unack"
    clinic.say(Event.DEPART, CARS)
    assert (clinic.episode.state, clinic.referral.stage) == ("unack", "in_transit")
    clinic.say(Event.ARRIVE, FIRST)
    clinic.say(Event.DISCHARGE, FIRST)
    clinic.say(Event.RETURN, DOCTOR)
    assert clinic.episode.state == "unack"


def test_who_died_is_said_to_have_and_all_his_alarms_close_by_that_person(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    clinic.say(Event.ARRIVE, FIRST)
    with pytest.raises(ActError, match="needs a word on how it is known"):
        clinic.say(Event.DIED, FIRST)
    clinic.say(Event.DIED, FIRST, note="in the emergency department, 13:20")
    assert (clinic.referral.ended_as, clinic.episode.state, clinic.episode.closed_by) == ("died", "closed", FIRST)


def test_who_was_said_to_have_died_and_still_breaks_the_limit_rings_again(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.DIED, DOCTOR, note="a neighbour said so")
    assert clinic.episode.state == "closed"
    ward = clinic.ward
    ward.spo2(1, [8400] * 1000)
    sweep(ward.desk())
    assert [each.state for each in ward.episodes() if each.rule == "SPO2-CRIT"] == ["closed", "unack"]


@pytest.mark.parametrize(("spo2", "rings"), [(8400, True), (9700, False)])
def test_who_comes_home_and_still_breaks_the_limit_rings_anew(clinic: Clinic, spo2: int, rings: bool) -> None:
    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE, Event.DISCHARGE):
        clinic.say(event, FIRST)
    ward = clinic.ward
    ward.now += timedelta(days=3)
    clinic.say(Event.RETURN, DOCTOR)
    ward.now += timedelta(hours=2)
    sweep(ward.desk())
    assert clinic.episode.state == "monitor", "not measured at home yet"
    before = len(ward.notices())
    ward.spo2(1, [spo2] * 300)
    sweep(ward.desk())
    assert [each.state for each in ward.episodes() if each.rule == "SPO2-CRIT"] == ["unack" if rings else "monitor"]
    assert ("李医生" in clinic.paged_since(before)) == rings


def test_who_is_admitted_and_comes_home_stands_so_in_the_registry(clinic: Clinic) -> None:
    def stands() -> list[tuple[str, str]]:
        rows = clinic.ward.connection.execute(
            "SELECT status, place FROM patient_status ORDER BY at, entered_at"
        ).fetchall()
        return [(row.status, row.place) for row in rows]

    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE):
        clinic.say(event, FIRST)
    assert stands() == []
    clinic.say(Event.ADMIT, FIRST)
    assert stands() == [("admitted", "定点医院")]
    clinic.ward.now += timedelta(hours=1)
    clinic.say(Event.DISCHARGE, FIRST)
    clinic.say(Event.RETURN, DOCTOR)
    assert stands() == [("admitted", "定点医院"), ("active", "")]


def test_a_death_in_the_registry_closes_what_rings_but_not_beside_a_referral(clinic: Clinic) -> None:
    ward = clinic.ward
    died = Change(to=Status.DEAD, at=ward.now, reason="the village doctor was there")
    clinic.refer()
    with pytest.raises(ActError, match="say of the referral that the patient has died"):
        change_status(ward.connection, key="p1", change=died, person_id=DOCTOR, now=ward.now)
    assert ward.connection.execute("SELECT FROM patient_status").fetchall() == []
    clinic.say(Event.WITHDRAW, EXPERT)
    change_status(ward.connection, key="p1", change=died, person_id=DOCTOR, now=ward.now)
    assert (clinic.episode.state, clinic.episode.closed_by) == ("closed", DOCTOR)
    worn = ward.connection.execute("SELECT upper(valid) AS until FROM binding WHERE patient_id = 1").fetchall()
    assert [row.until for row in worn] == [ward.now]


def test_an_ambulance_leaves_while_the_hospital_is_still_asked(clinic: Clinic) -> None:
    clinic.refer(Picture(severity=Severity.CRITICAL, driver=Driver.INFECTION, immediate_danger=True))
    assert (clinic.referral.clause, clinic.referral.ward, clinic.referral.facility_id) == ("0", "emergency", 10)
    clinic.say(Event.DEPART, DOCTOR)
    assert clinic.referral.stage == "in_transit"
    clinic.say(Event.ARRIVE, FIRST)
    assert clinic.referral.stage == "received"


def test_the_vehicles_are_paged_where_no_ambulance_is_wanted(clinic: Clinic) -> None:
    clinic.refer(Picture(severity=Severity.MODERATE, driver=Driver.INFECTION))
    assert (clinic.referral.vehicle, clinic.referral.facility_id) == ("transfer_vehicle", 12)
    before = len(clinic.ward.notices())
    clinic.say(Event.ACCEPT, EXPERT)
    assert clinic.paged_since(before) == ["车队", "李医生", "b1"]
    clinic.say(Event.DEPART, CARS)
    before = len(clinic.ward.notices())
    clinic.say(Event.REJECT, EXPERT, refusal=Refusal.NO_BED)
    assert clinic.paged_since(before) == ["定点转诊台", "车队", "王主任", "李医生", "卫健委"]


def test_a_hospital_passes_a_patient_on_and_says_how_the_stay_goes(clinic: Clinic) -> None:
    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE, Event.ADMIT):
        clinic.say(event, FIRST)
    clinic.ward.now += timedelta(hours=70)
    clinic.say(Event.STAYS, FIRST, note="stable")
    assert clinic.referral.due_at == clinic.ward.now + timedelta(hours=72)
    clinic.say(Event.REJECT, FIRST, refusal=Refusal.NO_CAPABILITY, note="needs surgery")
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("offered", 11)


def test_who_was_admitted_by_mistake_is_expected_to_be_measured_again_once_it_is_withdrawn(clinic: Clinic) -> None:
    def stands() -> str:
        rows = clinic.ward.connection.execute("SELECT status FROM patient_status ORDER BY at, entered_at").fetchall()
        return str(rows[-1].status)

    clinic.refer()
    for event in (Event.ACCEPT, Event.ARRIVE, Event.ADMIT):
        clinic.say(event, FIRST)
    assert stands() == "admitted"
    clinic.ward.now += timedelta(minutes=1)
    clinic.say(Event.WITHDRAW, EXPERT)
    assert stands() == "active"


def test_an_ambulance_leaves_and_arrives_while_no_hospital_is_found(clinic: Clinic) -> None:
    clinic.refer()
    for person_id in (FIRST, SECOND):
        clinic.say(Event.REJECT, person_id, refusal=Refusal.NO_BED)
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("unplaced", None)
    clinic.say(Event.DEPART, DOCTOR)
    assert clinic.referral.stage == "in_transit"
    with pytest.raises(ActError, match="say at which hospital"):
        clinic.say(Event.ARRIVE, EXPERT)
    with pytest.raises(ActError, match="is no hospital that can be asked"):
        clinic.say(Event.ARRIVE, EXPERT, facility_id=99)
    with pytest.raises(ActError, match="no hospital is asked"):
        clinic.say(Event.REJECT, EXPERT, refusal=Refusal.NO_BED)
    clinic.say(Event.ARRIVE, EXPERT, facility_id=11)
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("received", 11)
    clinic.say(Event.ADMIT, SECOND)


def test_what_is_said_of_another_hospital_than_the_one_asked_now_is_refused(clinic: Clinic) -> None:
    clinic.refer()
    seen = Seen(stage="offered", facility_id=10)
    clinic.say(Event.REJECT, FIRST, refusal=Refusal.NO_BED, seen=seen)
    for event, more in ((Event.REJECT, {"refusal": Refusal.NO_BED}), (Event.ACCEPT, {})):
        with pytest.raises(ActError, match="another hospital is asked"):
            clinic.say(event, EXPERT, seen=seen, **more)
    assert (clinic.referral.stage, clinic.referral.facility_id) == ("offered", 11)
    assert clinic.refusals() == [(10, "no_bed")]


def test_a_nursing_homes_own_hospital_is_asked_before_the_others_of_its_role(clinic: Clinic) -> None:
    clinic.ward.connection.execute(
        "INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id, capabilities) VALUES"
        " (13, 'paired', '签约医院', 'Paired', 'designated', 1, '{icu}')"
    )
    clinic.ward.connection.execute("UPDATE organisation SET counterpart_id = 13 WHERE organisation_id = 2")
    clinic.refer()
    assert (clinic.referral.facility_id, clinic.referral.candidates) == (13, [10, 11])


def test_only_an_ambulance_leaves_before_a_hospital_has_accepted(clinic: Clinic) -> None:
    clinic.refer(Picture(severity=Severity.MODERATE, driver=Driver.INFECTION))
    assert clinic.referral.vehicle != "ems_120"
    with pytest.raises(ActError, match="only an ambulance"):
        clinic.say(Event.DEPART, CARS)
    clinic.say(Event.ACCEPT, EXPERT)
    clinic.say(Event.DEPART, CARS)


def test_a_hospitals_own_staff_does_not_see_the_patient_at_home(clinic: Clinic) -> None:
    clinic.ward.connection.execute(
        "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES"
        " (9, 'ward-nurse', '护士', 'Nurse', 10, 'nurse', 2), (10, 'bed-desk', '协调员', 'Beds', 10, 'coordinator', 3)"
    )
    clinic.refer()
    with pytest.raises(ActError, match="withdraw by receiver is not possible"):
        clinic.say(Event.WITHDRAW, 10)
    for event in (Event.ACCEPT, Event.ARRIVE, Event.DISCHARGE):
        clinic.say(event, FIRST)
    with pytest.raises(ActError, match="return by receiver is not possible"):
        clinic.say(Event.RETURN, 9)
    clinic.say(Event.RETURN, DOCTOR)


def test_another_illness_that_is_more_urgent_hastens_the_way(clinic: Clinic) -> None:
    ward = clinic.ward
    ward.connection.execute("UPDATE episode SET priority = 'medium', emergency = false, family = 'fever'")
    ward.connection.execute("DELETE FROM active_rule")
    clinic.refer(Picture(severity=Severity.MODERATE, driver=Driver.INFECTION))
    assert clinic.referral.due_at == ward.now + timedelta(minutes=30)
    ward.now += timedelta(minutes=1)
    at = {"since": ward.now, "raised_at": ward.now}
    with ward.connection.transaction():
        record_raise(ward.desk(), Raise(patient_id=1, rule="SPO2-CRIT", basis=Basis.SUSTAINED, key="worse", **at))
    assert (clinic.referral.priority, clinic.referral.due_at) == ("high", ward.now + timedelta(minutes=10))


def test_the_clocks_are_those_of_the_illness_and_become_shorter_with_it(clinic: Clinic) -> None:
    clinic.ward.connection.execute("UPDATE episode SET priority = 'medium', emergency = false")
    clinic.refer(Picture(severity=Severity.MODERATE, driver=Driver.INFECTION))
    assert clinic.referral.due_at == clinic.ward.now + timedelta(minutes=30)
    clinic.ward.spo2(1, [9700] * 700 + [8400] * FALL_S)
    assert clinic.referral.priority == "high"
    clinic.say(Event.WITHDRAW, EXPERT)
    acknowledge(clinic.ward.connection, person_id=EXPERT, now=clinic.ward.now, **clinic.act)
    clinic.ward.connection.execute("UPDATE episode SET priority = 'low', emergency = false")
    clinic.refer(Picture(severity=Severity.CRITICAL, driver=Driver.INFECTION))
    assert clinic.referral.due_at == clinic.ward.now + timedelta(minutes=10)


def test_the_family_doctor_can_hand_on_what_rings_beside_a_referral(clinic: Clinic) -> None:
    clinic.refer()
    ward = clinic.ward
    ward.connection.execute("UPDATE episode SET state = 'ack', step = 0, tier3 = false")
    possible = possible_acts(ward.connection, episode_id=clinic.episode_id, person_id=DOCTOR, now=ward.now)
    assert possible == ["refer", "note"]
    decide(ward.connection, person_id=DOCTOR, disposition="refer", note="", now=ward.now, **clinic.act)
    assert clinic.episode.state == "t3_unack"


def test_a_referred_episode_whose_referral_is_gone_goes_back_to_the_county(clinic: Clinic) -> None:
    clinic.refer()
    ward = clinic.ward
    ward.connection.execute("UPDATE referral SET stage = 'ended', ended_as = 'withdraw', due_at = NULL")
    ward.now += timedelta(hours=25)
    ward.pass_time(seconds=0.001)
    assert clinic.episode.state == "t3_unack"


@pytest.mark.parametrize("more", [{"refusal": Refusal.NO_BED}, {"facility_id": 11}], ids=["a reason", "a hospital"])
def test_what_does_not_belong_to_an_event_is_refused_and_not_written_down(clinic: Clinic, more: dict[str, Any]) -> None:
    clinic.refer()
    with pytest.raises(ActError, match="accept"):
        clinic.say(Event.ACCEPT, FIRST, **more)
    assert clinic.refusals() == []


def test_whoever_holds_the_desks_duty_may_answer_for_it(clinic: Clinic) -> None:
    clinic.refer()
    clinic.ward.connection.execute("UPDATE duty SET person_id = 2 WHERE organisation_id = 10")
    clinic.say(Event.ACCEPT, DUTY)
    assert clinic.referral.stage == "accepted"


def test_a_withdrawn_referral_gives_the_decision_back_to_the_county(clinic: Clinic) -> None:
    clinic.refer()
    clinic.say(Event.WITHDRAW, EXPERT, note="better")
    assert (clinic.referral.ended_as, clinic.episode.state) == ("withdraw", "t3_ack")
    possible = possible_acts(
        clinic.ward.connection, episode_id=clinic.episode_id, person_id=EXPERT, now=clinic.ward.now
    )
    assert "refer" in possible
    clinic.refer()
    assert [each.stage for each in clinic.referrals()] == ["ended", "offered"]


def test_who_can_stay_is_not_referred_and_nothing_has_happened(clinic: Clinic) -> None:
    with pytest.raises(ActError, match="by principle 1a he is treated where he lives"):
        clinic.refer(Picture(severity=Severity.MILD, driver=Driver.INFECTION))
    assert (clinic.episode.state, clinic.referrals()) == ("t3_ack", [])


def test_a_hospital_without_the_capability_is_not_asked_and_it_is_written_down(clinic: Clinic) -> None:
    clinic.refer(Picture(severity=Severity.MILD, driver=Driver.INFECTION, needs_haemodialysis=True))
    assert (clinic.referral.facility_id, clinic.referral.candidates) == (10, [])
    assert clinic.referral.passed_over == [{"facility_id": 11, "lacks": ["haemodialysis"]}]


def test_steps_missed_while_the_program_was_down_fire_at_once_in_order_and_once(clinic: Clinic) -> None:
    clinic.refer()
    ward = clinic.ward
    ward.now += timedelta(hours=2)
    ward.pass_time(seconds=0.001)
    assert clinic.refusals() == [(10, "no_answer")]
    assert (clinic.referral.facility_id, clinic.referral.due_at) == (11, ward.now + timedelta(minutes=10))
    ward.pass_time(seconds=0.001)
    assert clinic.refusals() == [(10, "no_answer")]


@pytest.mark.parametrize(
    ("event", "person_id", "reason"),
    [
        (Event.ACCEPT, DOCTOR, "accept by primary is not possible while the referral is offered"),
        (Event.ADMIT, FIRST, "admit by receiver is not possible"),
        (Event.DEADLINE, EXPERT, "clock's"),
        (Event.ACCEPT, 99, "person 99"),
    ],
)
def test_what_can_not_be_said_is_refused_in_words(clinic: Clinic, event: Event, person_id: int, reason: str) -> None:
    clinic.refer()
    with pytest.raises(ActError, match=reason):
        clinic.say(event, person_id)
    assert clinic.referral.stage == "offered"
