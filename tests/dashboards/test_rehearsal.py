"""The rehearsal page: from the form to the picture, in both languages, also on a phone; and nobody else's patients."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from playwright.sync_api import Page, expect

from alerting.profile.file import parse_profile, standard_adult
from dashboards.rehearsal_picture import WIDTH, bars_of, shape, timelines_of
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

CJK = re.compile(r"[\u4e00-\u9fff]")
RAW_CODE = re.compile(r"\b(SPO2-|FEVER-|TECH-|spo2_low|window_s|at_or_below|%\(|None\b)")


@pytest.fixture
def fallen(console: Console) -> Console:
    """A county under the shipped profile; of two patients courses with a short fall and a long one."""
    body = standard_adult()
    with console.rows() as db:
        db.execute(
            "INSERT INTO clinical_profile VALUES (%s, 'standard-adult', %s, now() + INTERVAL '1 s')",
            [parse_profile(body).profile_hash, body],
        )
        db.execute("DELETE FROM sample")
        for patient_id, days in ((5, (1.2, 2.2, 2.6)), (6, (1.9,))):
            for ago in days:
                breathe(db, patient_id, datetime.now(UTC) - timedelta(days=ago))
    return console


def breathe(db: psycopg.Connection, patient_id: int, begin: datetime) -> None:
    """Store 5000 s of SpO2, one a second: 400 s at 91 from second 780 on, 900 s at 91 from 2700 on, else 97."""
    db.execute("SELECT sample_make_room(%s)", [[begin.date() + timedelta(days=n) for n in (-1, 0, 1)]])
    db.execute(
        "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2)"
        " SELECT t, t, %(patient)s, %(patient)s, 0,"
        "        CASE WHEN s BETWEEN 780 AND 1179 OR s BETWEEN 2700 AND 3599 THEN 9100 ELSE 9700 END"
        "   FROM (SELECT s, date_trunc('minute', %(begin)s::timestamptz) + s * INTERVAL '1 s' AS t"
        "           FROM generate_series(0, 4999) s) x ON CONFLICT DO NOTHING",
        {"patient": patient_id, "begin": begin},
    )


def ask(page: Page, console: Console, *, window_s: str) -> None:
    page.goto(console.url + "/rehearsal")
    page.select_option("[name=panel]", "qingshi")
    page.fill("[name=days]", "4")
    page.select_option("[name=rule]", "SPO2-REFER")
    page.locator("[name=numbers]").nth(2).fill(window_s)
    page.click("form[action='/rehearsal'] button")


def test_a_longer_window_is_rehearsed_and_what_it_misses_is_shown(fallen: Console, open_page: OpenPage) -> None:
    page = open_page(language="en-GB")
    enter(page, fallen)
    ask(page, fallen, window_s="600")
    expect(page.locator("#rehearsal[data-state=done]")).to_be_visible()
    # Each of the four courses: a fall of 400 s, which 600 s can not see, and one of 900 s, seen 240 s later.
    result = page.locator("#rehearsal")
    expect(result).to_contain_text("No longer paged: 4")
    expect(result).to_contain_text("SpO₂ low: refer as soon as possible: window, s 300 → 600")
    expect(result).to_contain_text("Of 4 paged by both: 0 sooner, 4 later; median +240 s")
    expect(page.locator(".rehearsal__mark--missed")).to_have_count(4 + 1)  # the legend's beside
    expect(page.locator(".rehearsal__mark--both")).to_have_count(4 + 1)
    expect(page.locator(".rehearsal__missed li")).to_have_count(4)
    expect(page.locator(".rehearsal__bars")).to_have_attribute("aria-label", re.compile(r"standing \d.*new \d"))
    text = page.locator("main").inner_text()
    assert not RAW_CODE.search(text), text
    page.reload()  # the result is the session's
    expect(page.locator("#rehearsal[data-state=done]")).to_be_visible()
    page.locator(".rehearsal__missed a").first.click()
    expect(page).to_have_url(re.compile(r"/patients/p-00[56]$"))


def test_in_chinese_on_a_phone(fallen: Console, open_page: OpenPage) -> None:
    page = open_page(size=PHONE)
    enter(page, fallen)
    ask(page, fallen, window_s="600")
    expect(page.locator("#rehearsal[data-state=done]")).to_be_visible()
    expect(page.locator("#rehearsal")).to_contain_text("不再预警：4 次")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert not RAW_CODE.search(page.locator("main").inner_text())


def test_what_is_wrong_with_a_profile_is_named_by_its_line(fallen: Console, open_page: OpenPage) -> None:
    page = open_page(language="en-GB")
    enter(page, fallen)
    ask(page, fallen, window_s="7")
    expect(page.locator("[role=alert].trouble")).to_contain_text(
        re.compile(r"line \d+: sustained.SPO2-REFER: window of")
    )
    with api(fallen) as client:
        form = {"csrf": client.headers["X-CSRF-Token"], "panel": "qingshi", "days": "0", "profile": standard_adult()}
        refused = client.post("/rehearsal", data=form)
        assert (refused.status_code, "1 到 90" in refused.text) == (422, True)


def test_nobody_rehearses_patients_of_another_centre_nor_sees_their_run(fallen: Console) -> None:
    with api(fallen, "zhou-lan") as other, api(fallen) as own:
        for whose in ({"panel": "qingshi"}, {"panel": "anning"}, {"patient": "p-005"}, {"panel": ""}):
            form = {"csrf": other.headers["X-CSRF-Token"], "days": "4", "profile": standard_adult(), **whose}
            assert other.post("/rehearsal", data=form).status_code == 404, whose
        assert "p-005" not in other.get("/rehearsal").text
        form = {"csrf": own.headers["X-CSRF-Token"], "days": "4", "profile": standard_adult(), "patient": "p-005"}
        assert own.post("/rehearsal", data=form).status_code == 303
        again = own.post("/rehearsal", data=form)
        assert again.status_code in (303, 409)  # 409 as long as the first is not over
        assert 'data-state=""' in other.get("/rehearsal/state").text
        assert own.post("/rehearsal", data=form, headers={"X-CSRF-Token": "another"}).status_code == 403


def test_one_run_a_person_and_one_that_is_ended_makes_room(fallen: Console) -> None:
    with api(fallen) as client, fallen.rows() as db:
        db.execute("LOCK TABLE sample IN ACCESS EXCLUSIVE MODE")  # the run waits for it
        form = {"csrf": client.headers["X-CSRF-Token"], "days": "4", "profile": standard_adult(), "patient": "p-005"}
        assert client.post("/rehearsal", data=form).status_code == 303
        assert client.post("/rehearsal", data=form).status_code == 409
        assert client.post("/rehearsal/stop", data=form).status_code == 303
        assert 'data-state="stopped"' in client.get("/rehearsal/state").text
        assert client.post("/rehearsal", data=form).status_code == 303
        client.post("/rehearsal/stop", data=form)


def document() -> dict[str, object]:
    rates = {"SPO2-REFER": (2.0, 1.0), "HR-HIGH": (0.0, 4.0)}
    return {
        "from": "2026-03-01T00:00:00+00:00",
        "until": "2026-03-05T00:00:00+00:00",
        "by_rule": [
            {"rule": rule, "standing": {"per_patient_day": old}, "new": {"per_patient_day": new}}
            for rule, (old, new) in rates.items()
        ],
        "per_patient": [
            {"patient": "a", "marks": [{"at": "2026-03-03T00:00:00+00:00", "rule": "HR-HIGH", "mark": "newly"}]},
            {"patient": "b", "marks": [{"at": "2026-03-01T00:00:00+00:00", "rule": "SPO2-REFER", "mark": "missed"}]},
            {"patient": "c", "marks": []},
        ],
    }


def test_bars_are_as_long_as_their_rates_and_the_most_comes_first() -> None:
    (fast, refer) = bars_of(document())
    assert (fast.rule, fast.standing, fast.new) == ("HR-HIGH", 0.0, WIDTH - 60)
    assert (refer.rule, refer.standing, refer.new) == ("SPO2-REFER", (WIDTH - 60) / 2, (WIDTH - 60) / 4)


def test_who_misses_most_comes_first_and_a_mark_lies_where_its_time_is() -> None:
    first, second = timelines_of(document())
    assert (first.patient, second.patient) == ("b", "a")
    assert second.marks[0].path == shape("newly", WIDTH / 2, 13)
    assert first.marks[0].path == shape("missed", 10, 13)
