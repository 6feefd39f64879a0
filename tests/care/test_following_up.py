"""Follow-ups and helpers' tasks on real databases: one at a time, every act a line, lists by what is late."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from care.commands import app
from care.follow_up import Answer, Cadence, Contact, Decision, EndedAs, FollowUpRefused, Sign, Way
from care.following_up import (
    change_cadence,
    decide_on_signs,
    end_follow_up,
    open_follow_up,
    open_follow_ups,
    record_contact,
)
from care.helping import OPEN_TASKS_MAX, TaskRefused, TaskState, What, Wish
from care.loading import load
from care.tasking import make_task, settle_task
from tests.care.test_claiming import SECOND, without_passwords

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)  # 10:00 in Shanghai
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
UNREACHED = Contact(way=Way.PHONE, reached=False, signs={})
WELL = Contact(way=Way.PHONE, reached=True, signs=dict.fromkeys(Sign, Answer.NO), temperature="37.1", spo2="97")
ILL = Contact(way=Way.VISIT, reached=True, signs={Sign.BREATHLESS: Answer.YES, Sign.PAIN: Answer.NO})
WHO: dict[str, Any] = {"person_id": 1}


@pytest.fixture
def connection(any_database: str) -> Any:
    with psycopg.connect(any_database, autocommit=True) as opened:
        load(opened, without_passwords(SECOND), now=NOW - DAY)
        yield opened


def opened(connection: Any, patient_id: int = 1, **more: Any) -> int:
    made = open_follow_up(connection, patient_id, now=NOW, why="stays at home", **WHO, **more)
    assert made is not None
    return made


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return found


def test_a_registry_file_has_helpers(connection: Any) -> None:
    helper = '[person.helper-a]\nname = "孙"\nname_en = "Sun"\norganisation = "liuzhuang-village"\n'
    helper += 'role = "helper"\nservice_tier = 2\n\n'
    load(connection, without_passwords(("[person.ops]\n", helper + "[person.ops]\n")), now=NOW)
    assert rows(connection, "SELECT role FROM care_person WHERE key = 'helper-a'") == [("helper",)]


def test_one_is_open_at_a_time_and_another_after_it_ended(connection: Any) -> None:
    first = opened(connection)
    assert open_follow_up(connection, 1, now=NOW, why="again", **WHO) is None
    end_follow_up(connection, first, EndedAs.RECOVERED, why="ten days well", now=NOW + DAY, **WHO)
    with pytest.raises(FollowUpRefused, match=r"has ended \(recovered\): open another"):
        record_contact(connection, first, WELL, now=NOW + DAY, **WHO)
    assert opened(connection) > first
    kinds = rows(connection, "SELECT kind, said, why FROM follow_up_act ORDER BY act_id")
    assert kinds[:2] == [("opened", "every_3_days", "stays at home"), ("ended", "recovered", "ten days well")]


def test_a_contact_moves_the_next_and_keeps_every_word(connection: Any) -> None:
    number = opened(connection)
    record_contact(connection, number, WELL, now=NOW + 2 * DAY, **WHO)
    (due,) = open_follow_ups(connection)
    assert due.due_at == datetime(2026, 11, 27, 12, tzinfo=UTC)  # 20:00 in Shanghai, three days on
    ((reached, temperature, spo2, signs, warns),) = rows(
        connection, "SELECT reached, temperature, spo2, signs, has_warning FROM follow_up_contact"
    )
    assert (reached, temperature, spo2, warns) == (True, "37.1", "97", False)
    assert signs == dict.fromkeys(Sign, "no")
    assert rows(connection, "SELECT count(*) FROM sample") == [(0,)]  # words are no readings


def test_nobody_reached_three_times_makes_one_visit_which_reaching_somebody_settles(connection: Any) -> None:
    number = opened(connection)
    for hour in range(5):
        record_contact(connection, number, UNREACHED, now=NOW + hour * HOUR, **WHO)
    made = rows(connection, "SELECT what, state, unreached, due_at FROM helper_task")
    assert made == [("visit", "open", True, NOW + 4 * HOUR)]
    assert open_follow_ups(connection)[0].tries == 5
    record_contact(connection, number, WELL, now=NOW + 6 * HOUR, **WHO)
    assert rows(connection, "SELECT state FROM helper_task") == [("done",)]
    assert rows(connection, "SELECT kind FROM helper_task_act ORDER BY act_id") == [("made",), ("done",)]
    assert open_follow_ups(connection)[0].tries == 0


def test_a_refused_contact_leaves_nothing(connection: Any) -> None:
    number = opened(connection)
    with pytest.raises(FollowUpRefused, match="nobody was reached, yet"):
        record_contact(connection, number, Contact(way=Way.PHONE, reached=False, signs=WELL.signs), now=NOW, **WHO)
    assert rows(connection, "SELECT count(*) FROM follow_up_contact") == [(0,)]


def test_warning_signs_await_one_decision(connection: Any) -> None:
    number = opened(connection)
    contact_id = record_contact(connection, number, ILL, now=NOW, **WHO)
    well_id = record_contact(connection, number, WELL, now=NOW + HOUR, **WHO)
    with pytest.raises(FollowUpRefused, match="needs a word on why"):
        decide_on_signs(connection, contact_id, Decision.NO_ALARM, note=" ", now=NOW, **WHO)
    with pytest.raises(FollowUpRefused, match="no warning sign"):
        decide_on_signs(connection, well_id, Decision.ALARM, note="", now=NOW, **WHO)
    assert decide_on_signs(connection, contact_id, Decision.NO_ALARM, note="known asthma, seen today", now=NOW, **WHO)
    assert not decide_on_signs(connection, contact_id, Decision.ALARM, note="", now=NOW, **WHO)
    assert rows(connection, "SELECT decision FROM follow_up_decision") == [("no_alarm",)]


def test_denser_says_who_and_why(connection: Any) -> None:
    number = opened(connection)
    with pytest.raises(FollowUpRefused, match="another cadence needs a word on why"):
        change_cadence(connection, number, Cadence.DAILY, why="", now=NOW, **WHO)
    change_cadence(connection, number, Cadence.TWICE_A_DAY, why="fever again", now=NOW + HOUR, **WHO)
    (due,) = open_follow_ups(connection)
    assert (due.cadence, due.due_at) == ("twice_a_day", NOW + 10 * HOUR)
    said = rows(connection, "SELECT person_id, said, why FROM follow_up_act WHERE kind = 'cadence'")
    assert said == [(1, "twice_a_day", "fever again")]


@pytest.mark.parametrize("table", ["follow_up_act", "follow_up_contact", "follow_up_decision", "helper_task_act"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET at = now()"])
def test_history_stays(connection: Any, table: str, change: str) -> None:
    contact_id = record_contact(connection, opened(connection), ILL, now=NOW, **WHO)
    decide_on_signs(connection, contact_id, Decision.ALARM, note="", now=NOW, **WHO)
    make_task(connection, 1, Wish(what=What.VISIT, due_at=NOW + DAY), now=NOW, **WHO)
    with pytest.raises(psycopg.errors.RestrictViolation, match="is history"):
        connection.execute(change.format(table))


def test_unknown_ones_are_refused_by_name(connection: Any) -> None:
    with pytest.raises(FollowUpRefused, match="patient 999 is not in the registry"):
        open_follow_up(connection, 999, now=NOW, why="x", **WHO)
    with pytest.raises(FollowUpRefused, match="there is no follow-up 999"):
        record_contact(connection, 999, WELL, now=NOW, **WHO)
    with pytest.raises(FollowUpRefused, match="contact 999"):
        decide_on_signs(connection, 999, Decision.ALARM, note="", now=NOW, **WHO)


def test_a_task_is_made_for_helpers_and_settled_once(connection: Any) -> None:
    wish = Wish(what=What.DELIVER_ANTIGEN, due_at=NOW + DAY, note="two kits")
    number = make_task(connection, 1, wish, now=NOW, **WHO)
    with pytest.raises(TaskRefused, match="needs a word on why"):
        settle_task(connection, number, TaskState.CANNOT, note="", now=NOW, **WHO)
    settle_task(connection, number, TaskState.DONE, note="", now=NOW + HOUR, **WHO)
    with pytest.raises(TaskRefused, match="no open task"):
        settle_task(connection, number, TaskState.CANNOT, note="nobody opens", now=NOW, **WHO)
    listed = rows(connection, "SELECT what, state, said_at FROM care_helper_task")
    assert listed == [("deliver_antigen", "done", NOW + HOUR)]


def test_tasks_are_bounded_and_go_to_somebody_there_is(connection: Any) -> None:
    wish = Wish(what=What.MEASURE, due_at=NOW + DAY)
    with pytest.raises(TaskRefused, match="no organisation 999"):
        make_task(connection, 1, Wish(what=What.MEASURE, due_at=NOW + DAY, organisation_id=999), now=NOW, **WHO)
    connection.execute(
        "INSERT INTO organisation (organisation_id, key, name, name_en, facility_role) VALUES"
        " (77, 'elsewhere', '外县', 'Elsewhere', 'county')"
    )
    with pytest.raises(TaskRefused, match="no organisation 77 above or below the patient's"):
        make_task(connection, 1, Wish(what=What.MEASURE, due_at=NOW + DAY, organisation_id=77), now=NOW, **WHO)
    for _ in range(OPEN_TASKS_MAX):
        make_task(connection, 1, wish, now=NOW, **WHO)
    with pytest.raises(TaskRefused, match="20 tasks are open"):
        make_task(connection, 1, wish, now=NOW, **WHO)
    make_task(connection, 2, wish, now=NOW, **WHO)


def test_the_command_line_lists_the_longest_overdue_first(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", database)
    with psycopg.connect(database, autocommit=True) as connection:
        load(connection, without_passwords(SECOND), now=NOW - DAY)
        today = datetime.now(UTC)
        for patient_id, days in ((1, 9), (2, 12), (3, 0)):
            open_follow_up(connection, patient_id, now=today - timedelta(days=days), why="stays at home", **WHO)
    whole = CliRunner().invoke(app, ["follow-up", "--json"])
    keys = [json.loads(line) for line in whole.stdout.splitlines()]
    late = [line["lateness"] for line in keys]
    assert (late, whole.exit_code) == (["long_overdue", "long_overdue", "coming"], 1)
    assert keys[0]["due_at"] < keys[1]["due_at"] < keys[2]["due_at"]
    overdue = CliRunner().invoke(app, ["follow-up", "--overdue"])
    assert len(overdue.stdout.splitlines()) == 2
    assert overdue.stdout.startswith("LONG_OVERDUE")
