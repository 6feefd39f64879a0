"""The nights on the patient page: what was recorded, in both languages, also on a phone."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
from playwright.sync_api import expect

from alerting.derived.local_nights import LocalNight, last_nights
from dashboards.night_picture import HEIGHT, path_of
from dashboards.words import Language, load
from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter

ZONE = "Asia/Shanghai"


def record(
    db: psycopg.Connection, night: LocalNight, *, seconds: int, low: int, every_s: int = 600, for_s: int = 40
) -> None:
    """Store a sleeper's values from 22:30 on, one a second, with a fall again and again."""
    begins = night.begins_at + timedelta(minutes=90)
    db.execute("SELECT sample_make_room(%s)", [[night.date + timedelta(days=d) for d in (-1, 0, 1)]])
    db.execute(
        "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2)"
        " SELECT t, t, 5, 5, 0,"
        "        CASE WHEN s %% %(every)s BETWEEN 1 AND %(for)s THEN %(low)s + (s / %(every)s) %% 3 * 100"
        "             WHEN s = 4000 THEN 6100 ELSE 9500 + s / 3000 %% 2 * 100 END"
        "   FROM (SELECT s, %(begins)s::timestamptz + s * INTERVAL '1 s' AS t FROM generate_series(0, %(until)s) s) x"
        " ON CONFLICT DO NOTHING",
        {"every": every_s, "for": for_s, "low": low, "begins": begins, "until": seconds - 1},
    )


def newest() -> list[LocalNight]:
    """Give nights that are over, the newest first."""
    now = datetime.now(UTC)
    return [night for night in last_nights(now, ZONE, 5) if night.ends_at < now]


def test_the_last_nights_stand_on_the_patients_page(console: Console, open_page: OpenPage) -> None:
    nights = newest()
    with console.rows() as db:
        record(db, nights[0], seconds=8 * 3600, low=8700)
        record(db, nights[1], seconds=3 * 3600, low=9100)
        record(db, nights[2], seconds=7 * 3600, low=9200, every_s=1200, for_s=30)
    page = open_page(language="en-GB")
    enter(page, console)
    page.goto(console.url + "/patients/p-005")
    rows = page.locator("#nights tbody tr")
    expect(rows.first).to_be_visible()
    by_day = {row.locator("th").inner_text().split("\n")[0]: row for row in rows.all()}
    words = load()[Language.EN]
    worst, short, mild = (by_day[words.day(night.date)] for night in nights[:3])
    for text in ("8.0 h recorded", "6.0", "32 min", "11 min", "40 sec", "87 %", "once 61 %"):
        expect(worst).to_contain_text(text)
    expect(short).to_contain_text("not available: less than 4 h of good values")
    expect(short.locator("path")).to_have_attribute("d", re.compile(r"^M\d"))
    for text in ("1.6", "0.6", "92 %"):
        expect(mild).to_contain_text(text)
    expect(page.locator("#nights")).to_contain_text("A report, not an alarm.")


def test_a_patient_without_a_night_is_told_so_in_chinese_on_a_phone(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=PHONE)
    enter(page, console)
    page.goto(console.url + "/patients/p-005")
    expect(page.locator("#nights")).to_contain_text("近期没有夜间记录。")
    with console.rows() as db:
        record(db, newest()[0], seconds=5 * 3600, low=8600)
    page.reload()
    expect(page.get_by_role("cell", name="低于 90 % 共 20分钟")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_nights_of_a_patient_out_of_scope_do_not_exist(console: Console) -> None:
    with api(console) as client:
        assert client.get("/patients/nobody/nights").status_code == 404


def test_a_picture_breaks_where_nothing_was_recorded() -> None:
    assert path_of([10_000, 8500, None, 7000, 6000]) == f"M0 0.0H1V15.0H2M3 {HEIGHT}.0H4V{HEIGHT}.0H5"
    assert path_of([None, None]) == ""
