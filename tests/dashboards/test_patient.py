"""The patient page: chart, limits, bands, gaps."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.dashboards import county
from tests.dashboards.conftest import Console, OpenPage, api, enter


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
    expect(log).to_contain_text("陈刚 · county experts (tier 3) · web hook · sent")


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
    assert [limit["text"] for limit in spo2["limits"]] == ["极低 ≤ 88", "转诊 < 93"]
    (band,) = course["bands"]
    assert band["urgency"] == "high"
    assert band["to"] - band["from"] == pytest.approx(county.REFER.since.total_seconds(), abs=30)
    if span == "1h":
        gap = next(i for i, value in enumerate(mean) if value is None and doubtful[i] is None)
        assert x[gap + 1] - x[gap] > 500
        assert (low[gap], high[gap]) == (None, None)


def test_an_unknown_span_is_refused(console: Console) -> None:
    with api(console) as client:
        assert client.get("/patients/p-002/series", params={"span": "1y"}).status_code == 422
