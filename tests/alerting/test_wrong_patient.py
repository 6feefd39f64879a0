"""An oximeter was on somebody else: the wrong patient's alarm is closed by who says so, the right one is judged."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerting.acting import ActError
from alerting.acts import acknowledge, decide
from alerting.episodes import IllegalAct, Standing, State, move_by_correction
from alerting.wrong_patient import Closing, correct_binding, to_close
from care.correction import Correction, CorrectionRefused
from ingest.tend import rollups
from ingest.tend.moving import LOOK_AGAIN, move_samples
from tests.alerting.ward import T0, Ward
from tests.ingest.county import connect

OXIMETER = "C0:00:00:00:00:01"
WELL, LOW = [9700], [8600]
OPERATIONS = 4


@pytest.fixture
def home(ward: Ward) -> Ward:
    """The ward, where patient 3 has no oximeter of his own and patient 1's is on his finger."""
    return ward


def said(**changes: Any) -> Correction:
    whole = {"device": OXIMETER, "of": "p1", "to": "p3", "since": T0, "until": None, "reason": "两兄弟戴错了"}
    return Correction(**whole | changes)


def looks(ward: Ward, **changes: Any) -> list[Closing]:
    return to_close(ward.connection, said(**changes), person_id=OPERATIONS, now=ward.now)


def corrects(ward: Ward, *closes: int, **changes: Any) -> int:
    return correct_binding(
        ward.connection, said(**changes), closes=closes, person_id=OPERATIONS, channel="test", now=ward.now
    )


def carried_out(ward: Ward, *, samples_max: int = 20_000) -> None:
    """Let ingest move and the engine judge."""
    with connect(ward.dsn) as ingest:
        rollups.prepare(ingest)
        while move_samples(ingest, ward.now, samples_max=samples_max).more:
            ward.judge.catch_up(ward.desk)
    ward.judge.catch_up(ward.desk)


def illnesses(ward: Ward, patient_id: int) -> list[Any]:
    return [each for each in ward.episodes() if each.patient_id == patient_id and not each.technical]


def paged(ward: Ward, episode_id: int) -> int:
    rows = ward.connection.execute(
        "SELECT count(*) AS n FROM notice WHERE episode_id = %s AND channel_url <> 'console:'", [episode_id]
    )
    return int(rows.fetchone().n)  # type: ignore[union-attr]


def test_the_wrong_one_is_closed_by_who_says_so_and_the_right_one_alarms_at_once_with_the_truth(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 600)
    (wrong,) = illnesses(home, 1)
    (closing,) = looks(home)
    assert (closing.episode_id, closing.rule, closing.obstacle) == (wrong.episode_id, wrong.rule, "")
    assert illnesses(home, 1)[0].state != "closed"  # looking closes nothing
    number = corrects(home, wrong.episode_id)
    (closed,) = illnesses(home, 1)
    assert (closed.state, closed.disposition, closed.closed_by) == ("closed", "wrong_patient", OPERATIONS)
    event = home.connection.execute("SELECT * FROM episode_event WHERE kind = 'decided'").fetchone()
    assert (event.actor_id, event.detail) == (
        OPERATIONS,
        {"act": "wrong_patient", "note": "两兄弟戴错了", "correction": number},
    )
    carried_out(home, samples_max=100)
    (right,) = illnesses(home, 3)
    assert (right.rule, right.priority, right.condition) == (wrong.rule, wrong.priority, "present")
    assert (right.since, right.raised_at) == (wrong.since, wrong.raised_at)
    assert right.since >= T0 + timedelta(seconds=500)
    assert paged(home, right.episode_id) > 0
    assert len(illnesses(home, 1)) == 1
    assert home.connection.execute("SELECT DISTINCT patient_id FROM active_rule").fetchall() == [(3,)]
    home.pass_time(seconds=3600)
    assert len(illnesses(home, 1)) == 1  # nothing rings again for the wrong one: not by silence, not by a re-check
    assert illnesses(home, 3)[0].state != "closed"


def test_what_the_right_one_has_behind_him_goes_to_the_worklist_and_pages_nobody(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 400 + WELL * 1200)
    (wrong,) = illnesses(home, 1)
    corrects(home, wrong.episode_id)
    carried_out(home)
    (right,) = illnesses(home, 3)
    assert (right.condition, right.priority) == ("cleared", "low")
    assert (right.since, right.evidence["past"]) == (wrong.since, True)
    assert paged(home, right.episode_id) == 0


def test_what_builds_up_by_anothers_readings_raises_nothing_when_the_device_goes_silent(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 60)
    assert home.connection.execute("SELECT count(*) AS n FROM pending WHERE patient_id = 1").fetchone().n > 0  # type: ignore[union-attr]
    corrects(home)
    carried_out(home)
    waiting = home.connection.execute("SELECT DISTINCT patient_id FROM pending WHERE basis = 'sustained'").fetchall()
    assert [row.patient_id for row in waiting] == [3]
    home.pass_time(seconds=600)
    assert illnesses(home, 1) == []
    (right,) = illnesses(home, 3)  # his readings were lost while he was low
    assert right.since >= T0 + timedelta(seconds=500)


def test_an_alarm_that_is_not_confirmed_stays_open_with_its_condition(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 600)
    corrects(home)
    carried_out(home)
    (kept,), (right,) = illnesses(home, 1), illnesses(home, 3)
    assert (kept.state, kept.condition) == ("unack", "present")
    assert right.condition == "present"


def test_an_alarm_of_another_device_or_time_is_not_closed(home: Ward) -> None:
    home.spo2(1, WELL * 600)
    home.spo2(4, WELL * 600 + LOW * 600)
    (others,) = illnesses(home, 4)
    assert looks(home) == []
    with pytest.raises(ActError, match="do not come of"):
        corrects(home, others.episode_id)
    home.spo2(1, LOW * 600)
    (own,) = illnesses(home, 1)
    assert [each.episode_id for each in looks(home)] == [own.episode_id]
    assert looks(home, since=T0, until=T0 + timedelta(seconds=60)) == []
    with pytest.raises(ActError, match="do not come of"):
        corrects(home, own.episode_id, since=T0, until=T0 + timedelta(seconds=60))
    assert home.connection.execute("SELECT count(*) AS n FROM binding_correction").fetchone().n == 0  # type: ignore[union-attr]


def test_a_refused_correction_closes_nothing(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 600)
    (wrong,) = illnesses(home, 1)
    with pytest.raises(CorrectionRefused, match="is yet to come"):
        corrects(home, wrong.episode_id, until=home.now + timedelta(hours=1))
    with pytest.raises(CorrectionRefused, match="no patient 'p9'"):
        corrects(home, wrong.episode_id, to="p9")
    assert illnesses(home, 1)[0].state == "unack"


def test_readings_that_were_anothers_ended_the_wrong_ones_own_fall_and_it_rings_anew(home: Ward) -> None:
    """He was low himself, then the device was on a well finger: his fall never ended."""
    home.spo2(1, WELL * 600 + LOW * 900)
    lent_at = home.now
    home.spo2(1, WELL * 1800)
    (own,) = illnesses(home, 1)
    assert own.condition == "cleared"
    assert [each.episode_id for each in looks(home, since=lent_at)] == [own.episode_id]  # it was open meanwhile
    corrects(home, since=lent_at)
    carried_out(home)
    (own,) = illnesses(home, 1)
    assert (own.condition, own.state) == ("present", "unack")
    assert illnesses(home, 3) == []


def test_a_restarted_engine_and_one_without_a_snapshot_know_of_it(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 600)
    (wrong,) = illnesses(home, 1)
    home.judge.save_snapshots(home.desk())
    corrects(home, wrong.episode_id)
    carried_out(home)
    for forget in ("SELECT 1", "DELETE FROM engine_snapshot"):
        home.connection.execute(forget.encode())
        home.restarted()
        home.spo2(1, WELL * 900)  # the device is patient 3's by now
        assert len(illnesses(home, 1)) == 1
        assert illnesses(home, 1)[0].state == "closed"
    (right,) = illnesses(home, 3)
    assert right.condition == "cleared"


@pytest.mark.parametrize("samples_max", [37, 20_000])
def test_the_engine_says_what_it_had_said_had_they_come_under_the_right_patient(home: Ward, samples_max: int) -> None:
    """Patient 2 says what should be: the same course on a device of his own, heard live."""
    course = WELL * 900 + LOW * 500 + WELL * 1500 + [9200] * 900 + LOW * 300
    for begin in range(0, len(course), 150):
        home.spo2(2, course[begin : begin + 150], begin=home.now, judged=False)
        home.spo2(1, course[begin : begin + 150])
    wrong = [each.episode_id for each in illnesses(home, 1)]
    corrects(home, *[each.episode_id for each in looks(home)])
    carried_out(home, samples_max=samples_max)
    assert wrong
    (live,) = illnesses(home, 2)
    holds = "SELECT rule, since FROM active_rule WHERE patient_id = %s ORDER BY rule"
    theirs, his = (home.connection.execute(holds, [patient]).fetchall() for patient in (3, 2))
    assert theirs == his
    newest = [each for each in illnesses(home, 3) if each.condition == "present"]
    assert [(each.rule, each.priority) for each in newest] == [(live.rule, live.priority)]
    told_of = "SELECT DISTINCT detail ->> 'rule' AS rule FROM episode_event v JOIN episode USING (episode_id)" \
        " WHERE patient_id = %s AND v.kind LIKE 'raised%%'"  # fmt: skip
    assert {row.rule for row in home.connection.execute(told_of, [3])} <= {
        row.rule for row in home.connection.execute(told_of, [2])
    }


def test_a_fall_of_his_own_that_anothers_well_readings_hid_is_found(home: Ward) -> None:
    """He has two oximeters; one is on somebody well: half of what was said of him is well, and nothing raised."""
    home.connection.execute(
        "INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (20, 'C0:00:00:00:00:05', 'oximeter', 1);"
        "INSERT INTO binding (device_id, patient_id, valid) VALUES (20, 1, '[2020-01-01 00:00+00,)');"
        "UPDATE registry_version SET version = version + 1"
    )
    for _ in range(30):
        home.spo2(5, LOW * 20, begin=home.now, judged=False)
        home.spo2(1, WELL * 20)
    assert illnesses(home, 1) == []
    corrects(home)
    carried_out(home, samples_max=100)
    (own,) = illnesses(home, 1)
    assert (own.rule, own.condition) == ("SPO2-CRIT", "present")
    assert own.since < T0 + timedelta(seconds=60)
    assert paged(home, own.episode_id) > 0
    assert illnesses(home, 3) == []


def test_a_fall_of_both_is_closed_for_one_and_rings_anew_by_his_own_device(home: Ward) -> None:
    """What is closed as another's is his own as well: his own oximeter says so."""
    home.connection.execute(
        "INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (20, 'C0:00:00:00:00:05', 'oximeter', 1);"
        "INSERT INTO binding (device_id, patient_id, valid) VALUES (20, 1, '[2020-01-01 00:00+00,)');"
        "UPDATE registry_version SET version = version + 1"
    )
    for _ in range(6):
        home.spo2(5, LOW * 150, begin=home.now, judged=False)
        home.spo2(1, LOW * 150)
    corrects(home, *[each.episode_id for each in looks(home)])
    assert [each.state for each in illnesses(home, 1)] == ["closed"]
    carried_out(home)
    (_, own), (other,) = illnesses(home, 1), illnesses(home, 3)
    assert (own.state, own.condition, other.condition) == ("unack", "present", "present")


def test_a_fever_of_single_measurements_moves_with_its_patient(home: Ward) -> None:
    """The thermometer of patient 3 was patient 1's: the fever, and what waits for a repeat, are his."""
    thermometer = "C0:00:00:00:00:03"
    home.now = T0 + timedelta(hours=80)
    home.temperatures(3, [(hours, 3900) for hours in range(76, 0, -4)])
    wrong = illnesses(home, 3)
    assert {each.family for each in wrong} == {"fever"}
    changes: dict[str, Any] = {"device": thermometer, "of": "p3", "to": "p1", "since": home.now - timedelta(hours=78)}
    looked = looks(home, **changes)
    assert [each.episode_id for each in looked] == [each.episode_id for each in wrong]
    corrects(home, *[each.episode_id for each in looked], **changes)
    carried_out(home)
    assert [(each.rule, each.since) for each in illnesses(home, 1)] == [(each.rule, each.since) for each in wrong]
    assert {each.condition for each in illnesses(home, 1)} == {"present"}
    assert {each.state for each in illnesses(home, 3)} == {"closed"}
    holds = home.connection.execute("SELECT DISTINCT patient_id FROM active_rule WHERE basis = 'fever'").fetchall()
    assert [row.patient_id for row in holds] == [1]
    home.pass_time(seconds=3600)
    assert len(illnesses(home, 3)) == len(wrong)


def test_a_clip_s_sessions_are_formed_for_whose_they_are(home: Ward) -> None:
    home.connection.execute(
        "UPDATE device SET expected_every_s = NULL WHERE device_id = 11;"
        "UPDATE registry_version SET version = version + 1"
    )
    home.spo2(1, [9100] * 120)
    home.now += timedelta(seconds=120)
    home.spo2(1, [9100] * 120)
    sessions = "SELECT patient_id, value, status FROM spot_session ORDER BY at"
    before = home.connection.execute(sessions).fetchall()
    assert {row.patient_id for row in before} == {1}
    corrects(home, *[each.episode_id for each in looks(home)])
    carried_out(home)
    after = home.connection.execute(sessions).fetchall()
    assert [(row.value, row.status) for row in after] == [(row.value, row.status) for row in before]
    assert {row.patient_id for row in after} == {3}


def test_who_has_closed_it_before_the_binding_is_corrected_is_not_rung_again(home: Ward) -> None:
    home.spo2(1, WELL * 600 + LOW * 600)
    (wrong,) = illnesses(home, 1)
    act = {"episode_id": wrong.episode_id, "person_id": 3, "channel": "test", "now": home.now}
    acknowledge(home.connection, **act)
    decide(home.connection, **act, disposition="wrong_patient", note="不是他")
    assert home.connection.execute("SELECT patient_id FROM pending WHERE basis = 'recheck'").fetchall() == [(1,)]
    assert looks(home) == []
    corrects(home)
    carried_out(home)
    home.pass_time(seconds=600)
    home.spo2(4, WELL * 10)
    home.pass_time(seconds=3600)
    assert len(illnesses(home, 1)) == 1
    assert illnesses(home, 3)[0].state != "closed"


def test_a_second_look_that_finds_more_is_judged_too(home: Ward) -> None:
    home.spo2(1, WELL * 600)
    corrects(home)
    carried_out(home)
    assert illnesses(home, 3) == []
    lows = "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2)" \
        " SELECT %s + n * interval '1 s', %s, 1, 11, 0, 8600 FROM generate_series(0, 400) n"  # fmt: skip
    home.now += max(LOOK_AGAIN, timedelta(seconds=450))
    home.connection.execute(lows, [home.now - timedelta(seconds=401), home.now])
    carried_out(home)
    assert [each.condition for each in illnesses(home, 3)] == ["present"]


def standing(state: State, **changes: Any) -> Standing:
    at: datetime = T0
    whole: dict[str, Any] = {"state": state, "step": 0, "service_tier": 2, "tier3": False, "technical": False,
                             "alarmed_at": at, "due_at": at}  # fmt: skip
    return Standing(**whole | changes)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("tier3", [False, True])
def test_a_correction_closes_an_alarm_wherever_it_stands_but_not_under_a_referral(state: State, tier3: bool) -> None:
    if state is State.CLOSED:
        with pytest.raises(IllegalAct, match="closed already"):
            move_by_correction(standing(state))
        return
    assert move_by_correction(standing(state, tier3=tier3)).to is State.CLOSED
    with pytest.raises(IllegalAct, match="referral is under way"):
        move_by_correction(standing(state, referral=True))
    with pytest.raises(IllegalAct, match="technical"):
        move_by_correction(standing(state, technical=True))
