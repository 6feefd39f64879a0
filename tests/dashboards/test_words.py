"""No text is missing in either language; times are local, with the date where not today."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from alerting.answering import LinkState
from alerting.cases.transfer import Event, Refusal, Stage
from alerting.episodes import HUMAN_ACTS, REFERRAL_ACTS, Audience, State
from alerting.outcomes import Outcome
from alerting.profile.changing import CHANGEABLE
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.limits import FORMS
from alerting.profile.profile import Priority, no_data_rule
from alerting.rehearsal.difference import Decided
from alerting.rehearsal.panel import NO_DATA
from alerting.response import Came
from alerting.silences import Obstacle as SilenceObstacle
from alerting.silences import Target
from alerting.words import STORMS
from care.claims import Obstacle
from care.consent import GivenBy, Purpose
from care.contacts import Relation
from care.duty_changes import Obstacle as DutyObstacle
from care.follow_up import Answer, Antigen, Cadence, Decision, EndedAs, Lateness, Sign, Way
from care.helping import TaskState, What
from care.kit import KitState
from care.referral import LADDER, ROWS, Ask, Driver, Picture, Severity, Vehicle, Ward
from care.registry import Capability, DeviceKind, DutyRole, PersonRole, SpecialGroup
from care.risk import DISPUTED, WOULD_LOWER
from care.status import Status
from care.team import MemberRole
from dashboards.board import SHOWN_SIGNALS
from dashboards.gateways import Standing
from dashboards.limits import limits_of
from dashboards.referrals import STEPS
from dashboards.series import Span
from dashboards.words import Language, age_years, load, negotiate
from gateway.claims.claims import ClaimedBy
from gateway.recovery.ladder import Cause, Rung
from gateway.session.states import State as SessionState
from vitals.quality import Reason

ROOM = Path(__file__).resolve().parents[2] / "dashboards"
WORDS = load()
ROLES = [role.value for role in PersonRole]

CODES = {
    "rule": [*parse_profile(standard_adult()).consequences, no_data_rule(Priority.LOW), no_data_rule(Priority.MEDIUM)],
    "short_rule": [*parse_profile(standard_adult()).consequences],
    "limit": sorted({limit.rule for limit in limits_of(standard_adult()) if limit.drawn}),
    "ago": ["day", "hour", "minute", "second"],
    "urgency": ["emergency", "high", "medium", "low", "none", "unsure"],
    "condition": ["present", "cleared", "unknown"],
    "state": [state.value for state in State],
    "due": [state.value for state in State if state is not State.CLOSED],
    "step": ["1", "2", "3"],
    "turn": ["2", "3"],
    "audience": [audience.value for audience in Audience],
    "tier": ["1", "2", "3"],
    "risk": ["green", "yellow", "red"],
    "sex": ["female", "male", "unknown"],
    "signal": [signal.value for signal in SHOWN_SIGNALS],
    "reason": [reason.name for reason in Reason],
    "role": ROLES,
    "group": [group.value for group in SpecialGroup],
    "disposition": [act.value for act in HUMAN_ACTS if act.value != "acknowledge"],
    "done": [
        "acknowledged",
        "handed_on",
        "note",
        "silenced",
        *(act.value for act in HUMAN_ACTS if act.value != "acknowledge"),
    ],
    "severity": [severity.value for severity in Severity],
    "driver": [driver.value for driver in Driver],
    "picture": [field.name for field in fields(Picture)][2:],
    "clause": [row.clause for row in ROWS],
    "ward": [ward.value for ward in Ward],
    "vehicle": [vehicle.value for vehicle in Vehicle],
    "ask": [ask.value for ask in Ask],
    "capability": [capability.value for capability in Capability],
    "facility_role": sorted({role.value for ladder in LADDER.values() for role in ladder}),
    "stage": [stage.value for stage in Stage],
    "due_referral": [stage.value for stage in Stage if stage is not Stage.ENDED],
    "way": list(STEPS),
    "referral_event": ["opened", *(event.value for event in Event)],
    "refusal": [refusal.value for refusal in Refusal],
    "turn_site": ["2", "3"],
    "step_site": ["1", "2", "3"],
    "state_site": [state.value for state in State],
    "due_site": [state.value for state in State if state is not State.CLOSED],
    "event": [
        "raised",
        "raised_anew",
        "raised_again",
        "cleared",
        "condition",
        "cause_ended",
        "covered",
        "silenced",
        "silence_ended",
        "deadline",
        "nobody_on_duty",
        "acknowledged",
        "decided",
        "note",
        "referral",
        "call_120",
        *REFERRAL_ACTS,
    ],
    "span": [span.value for span in Span],
    "standing": [standing.value for standing in Standing],
    "signal_strength": ["0", "1", "2", "3", "4"],
    "device_kind": [*(kind.value for kind in DeviceKind), "unknown"],
    "device_state": [state.value for state in SessionState],
    "adapter_state": ["starting", "scanning", "stopped", "unavailable"],
    "rung": [rung.value for rung in Rung],
    "because": [cause.value for cause in Cause],
    "claimed_by": [by.value for by in ClaimedBy],
    "profile_key": [*CHANGEABLE, *FORMS],
    "rehearsal_decided": [decided.value for decided in Decided],
    "rehearsal_skipped": [NO_DATA],
    "link": [state.value for state in LinkState],
    "came": [came.value for came in Came],
    "outcome": [outcome.value for outcome in Outcome],
    "status": [status.value for status in Status],
    "status_means": [status.value for status in Status],
    "relation": [relation.value for relation in Relation],
    "purpose": [purpose.value for purpose in Purpose],
    "given_by": [by.value for by in GivenBy],
    "member_role": [role.value for role in MemberRole],
    "kit_state": [state.value for state in KitState],
    "colour_review": [DISPUTED, WOULD_LOWER],
    "claim_refused": [obstacle.value for obstacle in Obstacle],
    "cadence": [cadence.value for cadence in Cadence],
    "contact_way": [way.value for way in Way],
    "sign": [sign.value for sign in Sign],
    "answer": [answer.value for answer in Answer],
    "antigen": [antigen.value for antigen in Antigen],
    "ended_as": [ended_as.value for ended_as in EndedAs],
    "lateness": [late.value for late in Lateness],
    "task": [what.value for what in What],
    "task_state": [state.value for state in TaskState],
    "follow_up_act": ["opened", "cadence", "ended"],
    "follow_up_done": [
        "opened",
        "contact",
        "unreached",
        "cadence",
        "ended",
        "task",
        *(each.value for each in Decision),
    ],
    "duty_role": [*(role.value for role in DutyRole), "away"],
    "stripe": ["roster", "override", "swap", "hole", "away"],
    "duty_change": ["override", "swap", "leave"],
    "change_standing": ["holds", "waiting", "revoked"],
    "duty_refused": [obstacle.value for obstacle in DutyObstacle],
    "storm": sorted(STORMS),
    "silence_target": [target.value for target in Target],
    "silence_standing": ["planned", "in_force", "lifted", "expired"],
    "silence_refused": [obstacle.value for obstacle in SilenceObstacle],
    "weekday": [str(day) for day in range(7)],
}


def catalogue(language: Language) -> Catalog:
    with (ROOM / "locale" / language / "LC_MESSAGES" / "dashboards.po").open("rb") as file:
        return read_po(file, locale=language.value)


def messages_in_use() -> Iterator[str]:
    for file in ROOM.rglob("*.html"):
        for _, message, _, _ in extract_from_file("jinja2.ext:babel_extract", file, keywords={"_": None}):
            yield str(message)
    for file in ROOM.rglob("*.py"):
        for _, message, _, _ in extract_from_file("python", file, keywords={"gettext": None}):
            yield str(message)


def test_every_text_in_use_is_translated_and_none_is_left_over() -> None:
    used, known = set(messages_in_use()), catalogue(Language.ZH)
    assert {message for message in used if not (found := known.get(message)) or not found.string} == set()
    assert {str(message.id) for message in known if message.id and not message.context} - used == set()


@pytest.mark.parametrize("language", list(Language))
def test_no_text_stands_twice_in_a_catalogue(language: Language) -> None:
    """Of two, the reader of catalogues keeps one and says nothing."""
    text = (ROOM / "locale" / language / "LC_MESSAGES" / "dashboards.po").read_text(encoding="utf-8")
    keys = re.findall(r'^(?:msgctxt (".*")\n)?msgid (".*"(?:\n".*")*)', text, flags=re.MULTILINE)
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_a_translation_fills_the_same_places() -> None:
    for message in catalogue(Language.ZH):
        if message.id and not message.context:
            places = re.compile(r"%\(\w+\)s|%%")
            assert sorted(places.findall(str(message.id))) == sorted(places.findall(str(message.string))), message.id


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("context", CODES)
def test_every_code_has_words(language: Language, context: str) -> None:
    known = catalogue(language)
    for code in CODES[context]:
        message = known.get(code, context)
        assert message is not None, (context, code)
        assert message.string, (context, code)


def test_both_catalogues_hold_the_same_codes() -> None:
    zh, en = ({(m.context, m.id) for m in catalogue(language) if m.context} for language in Language)
    assert zh == en


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        (None, "", Language.ZH),
        (None, "fr-FR,fr;q=0.9", Language.ZH),
        (None, "en-GB,en;q=0.9,zh;q=0.8", Language.EN),
        (None, "en;q=0.3,zh-CN;q=0.9", Language.ZH),
        ("en", "zh-CN", Language.EN),
        ("zh_CN", "en", Language.ZH),
        ("xx", "en", Language.EN),
        (None, "en;q=abc,;;,*", Language.ZH),
    ],
)
def test_the_language_is_the_persons_then_the_browsers(chosen: str | None, accept: str, language: Language) -> None:
    assert negotiate(chosen, accept) is language


NOON = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "zone", "zh", "en"),
    [
        (NOON, "Asia/Shanghai", "12:00", "12:00"),
        (NOON, "Asia/Urumqi", "10:00", "10:00"),
        (NOON - timedelta(hours=13), "Asia/Shanghai", "11月20日 23:00", "20 Nov 23:00"),
        (datetime(2025, 12, 31, 4, tzinfo=UTC), "Asia/Shanghai", "2025年12月31日 12:00", "31 Dec 2025 12:00"),
        (datetime(2026, 11, 20, 16, tzinfo=UTC), "Asia/Shanghai", "00:00", "00:00"),
    ],
)
def test_times_are_local_with_the_date_where_not_today(at: datetime, zone: str, zh: str, en: str) -> None:
    assert WORDS[Language.ZH].local(at, NOON, zone) == zh
    assert WORDS[Language.EN].local(at, NOON, zone) == en


def test_how_a_hand_over_ended_is_said_in_both_languages() -> None:
    zh, en = WORDS[Language.ZH], WORDS[Language.EN]
    assert zh.outcome("refused for good: 404") == "通道永久拒绝 404"
    assert en.outcome("refused for good: 404") == "refused for good by the channel 404"
    assert zh.outcome("no answer: ConnectTimeout, refused") == "通道无应答 ConnectTimeout, 通道拒绝"


def test_ages_and_countdowns_are_short() -> None:
    zh, en = WORDS[Language.ZH], WORDS[Language.EN]
    assert zh.ago(NOON - timedelta(seconds=12), NOON) == "12秒前"
    assert en.ago(NOON - timedelta(minutes=34), NOON) == "34m ago"
    assert en.ago(NOON + timedelta(minutes=1), NOON) == en.ago(NOON, NOON)
    assert en.countdown(NOON + timedelta(seconds=130), NOON) == "2:10"
    assert en.countdown(NOON + timedelta(hours=7, seconds=5), NOON) == "7:00:05"
    assert en.countdown(NOON - timedelta(seconds=12), NOON) == "+0:12"


def test_age_in_years_turns_on_the_local_birthday() -> None:
    evening = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    assert age_years(date(1948, 3, 2), evening, "Asia/Shanghai") == 78
    assert age_years(date(1948, 3, 2), evening, "Europe/London") == 77
