"""Warning signs that a person reports: an alarm as any other, which escalates, counts and ends; on real databases."""

from datetime import timedelta
from typing import Any

import pytest

from alerting.acting import ActError
from alerting.acts import acknowledge, decide
from alerting.cases.transfer import Event
from alerting.escalation import tick
from alerting.explanation import explain
from alerting.patient_acts import change_status, decide_signs, follow_up
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from care.follow_up import Answer, Contact, Decision, Sign, Way
from care.following_up import open_follow_up, open_follow_ups
from care.status import Change, Status
from tests.alerting.streams import FALL_S
from tests.alerting.test_referring import FIRST, Clinic
from tests.alerting.ward import Ward

DOCTOR, EXPERT = 1, 3
NONE_OF_THEM = dict.fromkeys(Sign, Answer.NO)
WELL = Contact(way=Way.PHONE, reached=True, signs=NONE_OF_THEM)
ILL = Contact(way=Way.VISIT, reached=True, signs=NONE_OF_THEM | {Sign.BREATHLESS: Answer.YES, Sign.PAIN: Answer.YES})


class Home:
    """The ward's patient 1 as he is followed up at home."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        number = open_follow_up(ward.connection, 1, person_id=DOCTOR, now=ward.now, why="infected, stays at home")
        assert number is not None
        self.follow_up_id = number

    def contact(self, contact: Contact) -> int:
        self.ward.now += timedelta(minutes=1)
        return follow_up(
            self.ward.connection,
            follow_up_id=self.follow_up_id,
            contact=contact,
            person_id=DOCTOR,
            now=self.ward.now,
        )

    def decide(self, contact_id: int, decision: Decision, note: str = "") -> int | None:
        return decide_signs(
            self.ward.connection,
            contact_id=contact_id,
            decision=decision,
            note=note,
            person_id=DOCTOR,
            now=self.ward.now,
            link="http://console",
        )

    def alarm(self, contact: Contact = ILL) -> int:
        number = self.decide(self.contact(contact), Decision.ALARM)
        assert number is not None
        return number

    @property
    def episode(self) -> Any:
        return self.ward.episodes()[-1]


@pytest.fixture
def home(ward: Ward) -> Home:
    return Home(ward)


def test_a_contact_alone_raises_nothing(home: Home) -> None:
    home.contact(ILL)
    home.contact(Contact(way=Way.PHONE, reached=True, signs=NONE_OF_THEM, temperature="40.2", spo2="80"))
    assert home.ward.episodes() == []


def test_signs_on_which_nobody_decides_climb_as_an_alarm_that_nobody_answers(home: Home) -> None:
    home.contact(ILL)
    ward, reported = home.ward, home.ward.now
    (waits,) = ward.connection.execute("SELECT * FROM care_undecided_sign").fetchall()
    assert waits.decide_by == reported + timedelta(minutes=3)
    ward.now = reported + timedelta(seconds=179)
    assert tick(ward.desk()) == 0
    assert ward.episodes() == []
    ward.now = reported + timedelta(minutes=3)
    tick(ward.desk())
    found = home.episode
    assert (found.rule, found.state, found.step, found.since) == ("SYMPTOM", "unack", 1, reported)
    assert {who for _, _, who in ward.notices()} == {"李医生", "b1", "值班"}
    assert found.due_at == reported + timedelta(minutes=6)
    ward.now = reported + timedelta(minutes=6)
    tick(ward.desk())
    assert (home.episode.state, home.episode.service_tier) == ("t3_unack", 3)
    assert ward.notices()[-1][2] == "王主任"
    ward.now = reported + timedelta(minutes=11)
    tick(ward.desk())
    assert home.episode.state == "exhausted"
    assert ward.connection.execute("SELECT * FROM care_undecided_sign").fetchall() == []


def test_a_decision_in_time_stops_the_clock_and_one_too_late_is_refused(home: Home) -> None:
    seen = home.contact(ILL)
    home.decide(seen, Decision.NO_ALARM, "asthma as ever, seen by me")
    late = home.contact(ILL)
    home.ward.pass_time(seconds=3 * 60)
    assert len(home.ward.episodes()) == 1
    with pytest.raises(ActError, match="nobody did in time"):
        home.decide(late, Decision.NO_ALARM, "asthma as ever")
    said = home.ward.connection.execute(
        "SELECT contact_id, decision, decided_by_clock FROM care_follow_up_contact ORDER BY contact_id"
    ).fetchall()
    assert [tuple(row) for row in said] == [(seen, "no_alarm", False), (late, "alarm", True)]


def test_undecided_signs_count_where_the_alarm_rings_and_a_death_ends_them(home: Home) -> None:
    number = home.alarm()
    ward = home.ward
    acknowledge(ward.connection, episode_id=number, person_id=EXPERT, channel="test", now=ward.now)
    before = ward.notices()
    home.contact(ILL)
    ward.pass_time(seconds=185)
    assert (home.episode.raise_count, home.episode.state, ward.notices()) == (2, "t3_ack", before)
    home.contact(ILL)
    change = Change(to=Status.DEAD, at=ward.now, reason="at home, 13:20")
    change_status(ward.connection, key="p1", change=change, person_id=DOCTOR, now=ward.now)
    ward.pass_time(seconds=600)
    assert [each.state for each in ward.episodes()] == ["closed"]


def test_the_alarm_says_what_a_person_saw_and_asks_the_household_to_call_120(home: Home) -> None:
    number = home.alarm()
    found = home.episode
    assert (found.episode_id, found.rule, found.family) == (number, "SYMPTOM", "symptom")
    assert (found.priority, found.emergency, found.tier3, found.state) == ("high", True, True, "unack")
    assert explain("SYMPTOM", found.evidence).whole.zh == "呼吸困难、胸痛或腹痛，上门随访时所见"
    assert explain("SYMPTOM", found.evidence).whole.en == "hard to breathe, pain in chest or belly, seen at a visit"
    assert [who for _, _, who in home.ward.notices()] == ["李医生", "b1"]
    texts = home.ward.connection.execute("SELECT title, body FROM notice ORDER BY notice_id").fetchall()
    assert "出现危险症状" in texts[0].title
    assert "120" in texts[1].body


def test_nobody_answering_it_reaches_tier_3_and_then_everybody(home: Home) -> None:
    home.alarm()
    home.ward.pass_time(seconds=6 * 60 + 10)
    assert (home.episode.state, home.episode.service_tier) == ("t3_unack", 3)
    home.ward.pass_time(seconds=5 * 60 + 10)
    assert home.episode.state == "exhausted"
    assert "王主任" in [who for _, _, who in home.ward.notices()]


def test_staying_at_home_is_the_countys_to_decide(home: Home) -> None:
    number = home.alarm()
    ward = home.ward
    acknowledge(ward.connection, episode_id=number, person_id=DOCTOR, channel="test", now=ward.now)
    assert home.episode.state == "t3_unack"
    acknowledge(ward.connection, episode_id=number, person_id=EXPERT, channel="test", now=ward.now)
    how: dict[str, Any] = {"episode_id": number, "person_id": EXPERT, "note": "", "channel": "test"}
    decide(ward.connection, disposition="stay_home", now=ward.now, **how)
    assert len(open_follow_ups(ward.connection)) == 1  # the one that was open
    with pytest.raises(ActError, match="over for 24 h"):
        decide(ward.connection, disposition="close", now=ward.now, **how)
    home.contact(WELL)
    assert home.episode.condition == "cleared"
    ward.now += timedelta(hours=24)
    decide(ward.connection, disposition="close", now=ward.now, **how)
    assert home.episode.state == "closed"


def test_the_same_contact_raises_once_and_another_one_counts(home: Home) -> None:
    contact_id = home.contact(ILL)
    number = home.decide(contact_id, Decision.ALARM)
    with pytest.raises(ActError, match="somebody has decided"):
        home.decide(contact_id, Decision.ALARM)
    assert home.alarm() == number
    assert home.episode.raise_count == 2
    assert len(home.ward.episodes()) == 1


def test_no_alarm_needs_a_reason_and_raises_nothing(home: Home) -> None:
    contact_id = home.contact(ILL)
    with pytest.raises(ActError, match="needs a word on why"):
        home.decide(contact_id, Decision.NO_ALARM)
    assert home.decide(contact_id, Decision.NO_ALARM, "asthma as ever, seen by me") is None
    assert home.ward.episodes() == []


def test_only_a_whole_all_clear_ends_it_and_what_comes_after_rings_anew(home: Home) -> None:
    home.alarm()
    home.contact(Contact(way=Way.PHONE, reached=True, signs={Sign.BREATHLESS: Answer.NO, Sign.PAIN: Answer.NO}))
    assert home.episode.condition == "present"
    home.contact(WELL)
    assert home.episode.condition == "cleared"
    before = len(home.ward.notices())
    home.alarm()
    assert (home.episode.condition, len(home.ward.episodes())) == ("present", 1)
    assert home.ward.history()[-1] == "raised_anew"
    assert len(home.ward.notices()) > before


def test_what_was_called_a_false_alarm_can_be_reported_at_once_again_and_never_by_itself(home: Home) -> None:
    number, ward = home.alarm(), home.ward
    acknowledge(ward.connection, episode_id=number, person_id=EXPERT, channel="test", now=ward.now)
    how: dict[str, Any] = {"episode_id": number, "person_id": EXPERT, "channel": "test"}
    decide(ward.connection, disposition="false_alarm", note="a joke", now=ward.now, **how)
    ward.spo2(1, [9700] * 1200)
    ward.pass_time(seconds=60)
    assert len(ward.episodes()) == 1
    assert home.alarm() != number


def test_a_decision_to_stay_at_home_opens_a_follow_up_and_a_technical_alarm_none(ward: Ward) -> None:
    ward.pulse(1, [12000] * 700)
    (found,) = ward.episodes()
    how: dict[str, Any] = {"episode_id": found.episode_id, "person_id": DOCTOR, "channel": "test"}
    acknowledge(ward.connection, now=ward.now, **how)
    decide(ward.connection, disposition="stay_home", note="comfortable", now=ward.now, **how)
    (due,) = open_follow_ups(ward.connection)
    assert (due.patient_key, due.cadence) == ("p1", "every_3_days")
    said = ward.connection.execute("SELECT kind, why, person_id FROM follow_up_act").fetchall()
    assert [tuple(row) for row in said] == [("opened", "comfortable", DOCTOR)]
    ward.spo2(2, [9700] * 60)
    ward.pass_time(seconds=700)
    silent = next(each for each in ward.episodes() if each.technical and each.patient_id == 2)
    how["episode_id"] = silent.episode_id
    acknowledge(ward.connection, now=ward.now, **how)
    decide(ward.connection, disposition="stay_home", note="", now=ward.now, **how)
    assert len(open_follow_ups(ward.connection)) == 1


def test_a_referral_ends_it_with_the_admission_and_opens_another_with_the_return(ward: Ward) -> None:
    clinic = Clinic(ward)
    open_follow_up(ward.connection, 1, person_id=DOCTOR, now=ward.now, why="infected, stays at home")
    clinic.refer()
    clinic.say(Event.ACCEPT, FIRST)
    clinic.say(Event.ARRIVE, FIRST)
    assert len(open_follow_ups(ward.connection)) == 1
    clinic.say(Event.ADMIT, FIRST)
    assert open_follow_ups(ward.connection) == []
    clinic.say(Event.DISCHARGE, FIRST)
    clinic.say(Event.RETURN, DOCTOR)
    assert len(open_follow_ups(ward.connection)) == 1
    said = ward.connection.execute("SELECT kind, said, person_id FROM follow_up_act ORDER BY act_id").fetchall()
    assert [tuple(row) for row in said][1:] == [("ended", "admitted", FIRST), ("opened", "every_3_days", DOCTOR)]


def test_an_alarm_that_is_measured_is_another_episode(home: Home) -> None:
    home.alarm()
    home.ward.spo2(1, [8400] * FALL_S)
    assert sorted(each.rule for each in home.ward.episodes()) == ["SPO2-CRIT", "SYMPTOM"]
    home.contact(WELL)
    conditions = {each.rule: each.condition for each in home.ward.episodes()}
    assert conditions == {"SPO2-CRIT": "present", "SYMPTOM": "cleared"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[reported.SYMPTOM", "[reported.SYMPTON", "reported: SYMPTOM is missing"),
        ('family = "symptom"', 'family = "fever"', "is measured, and of the same family"),
        ('family = "symptom"', 'family = "symptom"\nsignal = "spo2"', "unknown key signal"),
    ],
)
def test_a_profile_without_it_or_with_a_limit_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        parse_profile(standard_adult().replace(old, new))
