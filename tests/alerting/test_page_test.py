"""Tests of paging, from the command line to the report, with alerting's own delivery and a real webhook."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from alerting.answering import LinkState, answer
from alerting.commands import app
from alerting.delivery import deliver
from alerting.link import Linking, keys_of
from alerting.page_test import PageTestError, begin, report, runs, untested
from alerting.response import Figures, Response, figures
from tests.alerting.test_delivery import Phone
from tests.alerting.ward import T0, Ward

LINKING = Linking(keys=keys_of("a secret of the tests"))
TOWN, COUNTY = 2, 1


def response(after_s: float | None) -> Response:
    at = None if after_s is None else T0 + timedelta(seconds=after_s)
    return Response(
        person="x", name="x", name_en="x", role="duty", begun_at=T0, delivered_at=T0, channel="json", answered_at=at,
        outcome="", has_channel=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("after_s", "answered", "median_s", "p90_s"),
    [
        ([], 0, None, None),
        ([None, None], 0, None, None),
        ([30], 1, 30, 30),
        ([10, 20, None], 2, 10, 20),
        ([*range(10, 110, 10)], 10, 50, 90),
        ([*range(10, 120, 10)], 11, 60, 100),
    ],
)
def test_figures_are_times_that_somebody_took(
    after_s: list[float | None], answered: int, median_s: float | None, p90_s: float | None
) -> None:
    said = figures([response(each) for each in after_s])
    assert said == Figures(
        paged=len(after_s), delivered=len(after_s), answered=answered, median_s=median_s, p90_s=p90_s
    )


@pytest.fixture
def phone() -> Iterator[Phone]:
    made = Phone()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def ward(database: str, phone: Phone) -> Iterator[Ward]:
    """A doctor with two channels, one on duty with one, two of the county; a nurse off duty; an admin who has none."""
    with Ward(database) as made:
        url = f"json://127.0.0.1:{phone.server.server_port}/"
        made.connection.execute("UPDATE person SET channels = %s", ([url],))
        made.connection.execute("UPDATE person SET channels = %s WHERE key = 'li'", ([url + "1", url + "2"],))
        made.connection.execute(
            "INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES"
            " (5, 'nurse', '护士', 'Nurse', 2, 'nurse', 2, %s), (6, 'admin', '管理员', 'Admin', 1, 'admin', 3, '{}')",
            ([url],),
        )
        yield made


def send(ward: Ward) -> int:
    with ThreadPoolExecutor(2) as pool:
        return deliver(ward.desk(), pool, speed=1, clock=lambda: ward.now, linking=LINKING)


def link_of(ward: Ward, person_id: int) -> str:
    """Give the token that a person's test was sent with: signed anew as delivery signs it."""
    from alerting.link import bound_of, sign

    row: Any = ward.connection.execute(
        "SELECT *, recipient_id AS person_id FROM notice WHERE recipient_id = %s AND page_test_id IS NOT NULL"
        " ORDER BY notice_id LIMIT 1",
        (person_id,),
    ).fetchone()
    return sign(LINKING.keys[0], bound_of(row), ward.now + timedelta(hours=1))


def begun(ward: Ward, organisation_id: int = COUNTY, **how: Any) -> int:
    return begin(ward.desk(), organisation_id=organisation_id, by=6, **how)


def people(ward: Ward, page_test_id: int) -> dict[str, Response]:
    run = runs(ward.connection, [COUNTY, TOWN], page_test_id)[0]
    return {each.person: each for each in report(ward.connection, run, now=ward.now).responses}


def test_who_is_on_duty_and_every_family_doctor_is_paged_and_marked_as_a_test(ward: Ward, phone: Phone) -> None:
    begun(ward)
    rows = ward.connection.execute("SELECT * FROM notice ORDER BY notice_id").fetchall()
    assert [row.recipient_id for row in rows] == [1, 1, 2, 3, 4]
    assert all("演练 TEST" in row.title and "演练" in row.body and "TEST" in row.body for row in rows)
    assert [row.outcome for row in rows] == ["", "in reserve", "", "", ""]
    assert send(ward) == 4
    assert ward.episodes() == []
    assert len(phone.keys) == 4


def test_a_township_s_test_stays_in_the_township(ward: Ward) -> None:
    assert set(people(ward, begun(ward, TOWN))) == {"li", "duty"}


def test_all_are_paged_where_all_are_asked_for_and_who_has_no_channel_is_named(ward: Ward) -> None:
    found = people(ward, begun(ward, everybody=True))
    assert set(found) == {"li", "duty", "wang", "ops", "nurse", "admin"}
    assert {person: each.came for person, each in found.items() if person in ("admin", "nurse")} == {
        "admin": "no_channel",
        "nurse": "not_delivered",
    }


def test_the_report_says_who_was_reached_how_and_who_answered_after_how_long(ward: Ward, phone: Phone) -> None:
    url = f"json://127.0.0.1:{phone.server.server_port}/"
    ward.connection.execute("UPDATE person SET channels = %s WHERE key = 'li'", (["ntfy://127.0.0.1:1/li", url],))
    number = begun(ward)
    ward.now += timedelta(seconds=3)
    assert send(ward) == 4
    ward.now += timedelta(seconds=37)
    token = link_of(ward, 1)
    assert answer(ward.connection, token, linking=LINKING, now=ward.now, link="").state is LinkState.DONE
    assert answer(ward.connection, token, linking=LINKING, now=ward.now, link="").state is LinkState.USED
    found = people(ward, number)
    assert (found["li"].came, found["li"].channel, found["li"].answered_after_s) == ("answered", "json", 40)
    assert (found["duty"].came, found["duty"].answered_after_s) == ("no_answer", None)
    run = runs(ward.connection, [COUNTY])[0]
    assert report(ward.connection, run, now=ward.now).figures == Figures(
        paged=4, delivered=4, answered=1, median_s=40, p90_s=40
    )


def test_the_next_one_is_held_against_it(ward: Ward) -> None:
    first = begun(ward)
    send(ward)
    ward.now += timedelta(seconds=60)
    answer(ward.connection, link_of(ward, 2), linking=LINKING, now=ward.now, link="")
    ward.now += timedelta(days=28)
    second = begun(ward)
    run = runs(ward.connection, [COUNTY])[0]
    found = report(ward.connection, run, now=ward.now)
    assert (run.page_test_id, second > first) == (second, True)
    assert found.before == Figures(paged=4, delivered=4, answered=1, median_s=60, p90_s=60)
    assert found.figures.answered == 0


def test_whom_no_test_reached_in_35_days_is_listed(ward: Ward, phone: Phone) -> None:
    assert [each.key for each in untested(ward.connection, COUNTY, now=ward.now)] == ["li", "duty", "wang", "ops"]
    ward.connection.execute("UPDATE person SET channels = '{json://127.0.0.1:1/}' WHERE key = 'duty'")
    begun(ward)
    send(ward)
    assert [each.key for each in untested(ward.connection, COUNTY, now=ward.now)] == ["duty"]
    ward.now += timedelta(days=35)
    assert [each.key for each in untested(ward.connection, COUNTY, now=ward.now)] == ["duty"]
    ward.now += timedelta(seconds=1)
    assert len(untested(ward.connection, COUNTY, now=ward.now)) == 4
    assert len(phone.keys) == 3


def test_a_test_is_sent_only_after_every_alarm_and_not_when_its_day_is_over(ward: Ward, phone: Phone) -> None:
    begun(ward)
    ward.now += timedelta(hours=24)
    assert send(ward) == 0
    assert (phone.keys, people(ward, 1)["li"].came) == ([], "not_delivered")
    state = answer(ward.connection, link_of(ward, 1), linking=LINKING, now=ward.now, link="").state
    assert state is LinkState.EXPIRED


@pytest.mark.parametrize(("by", "why"), [(3, "county_expert may not"), (99, "person 99 may not")])
def test_a_coordinator_or_an_admin_begins_it(ward: Ward, by: int, why: str) -> None:
    with pytest.raises(PageTestError, match=why):
        begin(ward.desk(), organisation_id=COUNTY, by=by)
    assert ward.notices() == []


def test_a_button_pressed_twice_pages_once(ward: Ward) -> None:
    begun(ward)
    with pytest.raises(PageTestError, match="the next may begin 10 min later"):
        begun(ward)
    ward.now += timedelta(minutes=10)
    assert begun(ward) == 2


def test_the_command_begins_one_and_shows_it(ward: Ward, phone: Phone) -> None:
    env = {"HEARTHWATCH_DATABASE_DSN": ward.dsn, "HEARTHWATCH_LINK_SECRET": "a secret of the tests"}
    asked = ["page-test", "--organisation", "county"]

    def said(*more: str) -> Any:
        return CliRunner().invoke(app, [*asked, *more], env=env)

    assert said("--last").exit_code == 2
    assert said("--by", "nobody").exit_code == 2
    assert said("--by", "wang").exit_code == 2
    assert CliRunner().invoke(app, ["page-test", "--organisation", "x", "--by", "admin"], env=env).exit_code == 2
    begun_now = said("--by", "admin", "--json")
    assert begun_now.exit_code == 0, begun_now.output
    assert {each["came"] for each in json.loads(begun_now.stdout)["people"]} == {"not_delivered"}
    ward.now = datetime.now(UTC)
    assert send(ward) == 4
    after = json.loads(said("--last", "--json").stdout)
    assert after["figures"]["delivered"] == 4
    assert after["untested"] == []
    text = said("--last").stdout
    assert "no_answer" in text
    assert "4 paged, 4 delivered, 0 answered" in text
    assert len(phone.keys) == 4
