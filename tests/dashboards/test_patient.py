"""The patient page: chart, limits, bands, gaps."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.dashboards import county
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter


def test_the_page_says_who_what_and_what_was_done(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        county.add_alarm(db, county.REFER, datetime.now(UTC))
    page = open_page(language="en-GB")
    enter(page, console)
    page.click("article.card h2 a")
    expect(page.locator("h1")).to_have_text("赵国强 101床")
    for text in ("male 71 y", "yellow · elevated", "service tier 2", "Li Min", "Qingshi Nursing Home", "138 0000 0002"):
        expect(page.locator("header.patient")).to_contain_text(text)
    expect(page.locator("#vitals .vital--spo2 b")).to_have_text("91")
    expect(page.locator(".uplot")).to_have_count(2)
    page.click("text=4 days")
    expect(page.locator(".uplot")).to_have_count(3)
    log = page.locator(".log")
    expect(log).to_contain_text("deadline passed → waiting for the experts")
    expect(log).to_contain_text("Chen Gang · county experts · web hook · sent")


def test_repeats_are_one_line_and_the_older_ones_fold(console: Console, open_page: OpenPage) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        episode_id = county.add_alarm(db, county.CRITICAL, now)
        for minutes in range(40, 5, -5):
            at = now - timedelta(minutes=minutes)
            for person_id in (3, 2):
                county.add_notice(db, episode_id, person_id, "county_expert", at, step=3)
            county.add_notice(db, episode_id, 4, "township_duty", at, step=minutes)
            db.execute("INSERT INTO episode_event (episode_id, at, kind) VALUES (%s, %s, 'deadline')", [episode_id, at])
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    expect(page.locator(".told:visible")).to_have_count(5)
    expect(page.locator(".log")).to_contain_text("周岚, 陈刚 · 14× · 县级专家组")
    expect(page.locator(".log")).to_contain_text("吴杰 · 乡镇值班")
    expect(page.locator(".log .timeline li:visible")).to_have_count(10)
    page.locator(".earlier summary").last.click()
    expect(page.locator(".told:visible")).to_have_count(9)


def test_a_household_without_a_channel_asks_for_a_call(console: Console, open_page: OpenPage) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        county.add_unreachable_household(db, county.add_alarm(db, county.CRITICAL, now), "203床", now)
    page = open_page(language="en-GB")
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    line = page.locator(".told--no_channel")
    expect(line).to_contain_text("203床 · household · no channel: please phone")
    expect(line.locator("a")).to_have_attribute("href", "tel:138 0000 0001")


def test_a_notice_that_another_one_speaks_of_says_so(console: Console, open_page: OpenPage) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        county.add_alarm(db, county.FEVER, now)
        db.execute("UPDATE notice SET outcome = 'gathered', sent_at = NULL")
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-003")
    expect(page.locator(".told--gathered")).to_contain_text("与其他警报合并为一条通知")


@pytest.mark.parametrize(
    ("outcome", "fate", "zh", "en"),
    [
        ("refused for good: 404", "not_delivered", "通道永久拒绝 404", "refused for good by the channel 404"),
        ("no answer: ConnectTimeout", "not_delivered", "通道无应答 ConnectTimeout", "no answer from the channel"),
        ("answered meanwhile", "not_needed", "无需发送", "not needed"),
    ],
)
def test_what_came_of_a_notice_is_said_in_the_readers_language(
    console: Console, open_page: OpenPage, outcome: str, fate: str, zh: str, en: str
) -> None:
    with console.rows() as db:
        county.add_alarm(db, county.FEVER, datetime.now(UTC))
        db.execute("UPDATE notice SET outcome = %s, sent_at = NULL, due_at = NULL", [outcome])
    for language, said in (("zh-CN", zh), ("en-GB", en)):
        page = open_page(language=language)
        enter(page, console)
        page.goto(console.url + "/patients/p-003")
        expect(page.locator(f".told--{fate}").first).to_contain_text(said)


def test_on_a_phone_the_chart_stands_before_the_history(console: Console, open_page: OpenPage) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        closed = county.add_alarm(db, county.CRITICAL, now)
        db.execute(
            "UPDATE episode SET state = 'closed', due_at = NULL, closed_by = 1, closed_at = %s WHERE episode_id = %s",
            [now, closed],
        )
        opened = county.add_alarm(db, county.CRITICAL, now)
    page = open_page(size=PHONE)
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    expect(page.locator(".uplot").first).to_be_visible()
    # All at one instant: the page renews itself, and a part that is just being replaced has no place.
    tops = page.evaluate(
        "parts => parts.map(part => document.querySelector(part).getBoundingClientRect().top)",
        ["#vitals", f"#episode-{opened}", ".columns__course", f"#episode-{closed}"],
    )
    assert tops == sorted(tops)


@pytest.mark.parametrize("span", ["1h", "24h", "4d"])
def test_the_series_holds_gaps_doubts_limits_and_bands(console: Console, span: str) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        county.add_alarm(db, county.REFER, now)
    with api(console) as client:
        course = client.get("/patients/p-002/series", params={"span": span}).json()
    spo2 = course["signals"][0]
    x, low, high, mean, doubtful = spo2["columns"]
    assert len(x) == len(low) == len(high) == len(mean) == len(doubtful)
    assert x == sorted(x)
    assert any(value is not None and value < 92 for value in doubtful)
    assert [limit["text"] for limit in spo2["limits"]] == ["极低 ≤ 88", "转诊 < 93", "偏低 ≤ 94"]
    (band,) = course["bands"]
    assert band["urgency"] == "high"
    assert band["to"] - band["from"] == pytest.approx(county.REFER.since.total_seconds(), abs=30)
    if span == "1h":
        gap = next(i for i, value in enumerate(mean) if value is None and doubtful[i] is None)
        assert x[gap + 1] - x[gap] > 500
        assert (low[gap], high[gap]) == (None, None)


def test_the_chart_draws_what_the_patient_is_held_to(console: Console) -> None:
    held = {"SPO2-REFER": [8801, 8900], "SPO2-CRIT": [8401, 8500], "SPO2-AMBER": [-32768, -32768]}
    with console.rows() as db:
        (patient_id,) = db.execute("SELECT patient_id FROM patient WHERE key = 'p-001'").fetchone() or (0,)
        db.execute(
            "INSERT INTO limits_said (patient_id, said, said_at) VALUES (%s, %s, now())",
            [patient_id, json.dumps({"patient": patient_id, "limits": held})],
        )
    with api(console) as client:
        answer = client.get("/patients/p-001/series").json()
    (spo2,) = [signal for signal in answer["signals"] if signal["signal"] == "spo2"]
    assert [limit["text"] for limit in spo2["limits"]] == ["极低 ≤ 84", "转诊 ≤ 88"]


def test_who_awaits_a_doctors_limit_is_shown_so(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        (patient_id,) = db.execute("SELECT patient_id FROM patient WHERE key = 'p-001'").fetchone() or (0,)
        said = json.dumps({"patient": patient_id, "limits": {}, "awaiting": ["SPO2-REFER"]})
        db.execute("INSERT INTO limits_said (patient_id, said, said_at) VALUES (%s, %s, now())", [patient_id, said])
    page = open_page(language="en-GB")
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    expect(page.locator(".awaiting")).to_contain_text("is not watched by it until then: SpO₂ low: refer")
    page.goto(console.url + "/patients/p-002")
    expect(page.locator(".awaiting")).to_have_count(0)


def test_an_order_that_can_not_hold_is_shown_so(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        (patient_id,) = db.execute("SELECT patient_id FROM patient WHERE key = 'p-001'").fetchone() or (0,)
        said = json.dumps({"patient": patient_id, "limits": {}, "void": ["SPO2-REFER"]})
        db.execute("INSERT INTO limits_said (patient_id, said, said_at) VALUES (%s, %s, now())", [patient_id, said])
    page = open_page(language="en-GB")
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    expect(page.locator(".awaiting--void")).to_contain_text("the usual limit holds instead: SpO₂ low: refer")
    page.goto(console.url + "/patients/p-002")
    expect(page.locator(".awaiting--void")).to_have_count(0)


def test_what_was_asked_at_home_stands_beside_the_episodes(console: Console, open_page: OpenPage) -> None:
    with console.rows() as db:
        (patient_id,) = db.execute("SELECT patient_id FROM patient WHERE key = 'p-001'").fetchone() or (0,)
        for key, channel, outcome in (("a", "json://x", "accepted by channel"), ("b", "console:", "no channel")):
            db.execute(
                "INSERT INTO notice (patient_id, good_until, key, recipient, audience, service_tier, step, channel_url,"
                " title, body, created_at, sent_at, outcome) VALUES (%s, now(), %s, '101床', 'household', 0, 0, %s, '',"
                " E'请测体温。\\nPlease measure.', now(), CASE WHEN %s <> 'no channel' THEN now() END, %s)",
                [patient_id, key, channel, outcome, outcome],
            )
    page = open_page()
    enter(page, console)
    page.goto(console.url + "/patients/p-001")
    asked = page.locator("#episodes .panel").filter(has_text="已请家中测量").locator("li")
    expect(asked.first).to_contain_text("请测体温。")
    expect(asked.first).to_contain_text("138 0000 0001")
    expect(asked.last).to_contain_text("已发送")


def test_an_unknown_span_is_refused(console: Console) -> None:
    with api(console) as client:
        assert client.get("/patients/p-002/series", params={"span": "1y"}).status_code == 422
