"""Every page: both languages without a missing word, no box instead of a glyph, strict headers, nothing inline."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboards import county, homes
from tests.dashboards.conftest import WALL, Console, OpenPage, api, enter, sign_in

CJK = re.compile(r"[\u4e00-\u9fff]")
RAW_CODE = re.compile(r"\b(SPO2-|FEVER-|TECH-|t3_|unack|spo2_low|family_doctor|FINGER_OUT|%\(|None\b)")


@pytest.fixture
def busy(console: Console) -> Console:
    with console.rows() as db:
        county.raise_all(db)
        homes.settle(db)
    return console


PAGES = ("/", "/patients/p-001", "/patients/p-002", "/patients/p-003", "/patients/p-004", "/patients/p-005")
REGISTRY = ("/registry", "/registry/p-001", "/kits", "/shared", "/silences")
FLEET = ("/fleet", f"/fleet/{homes.HOME}/{homes.OXIMETER}/claim", f"/fleet/{homes.HOME}/{homes.FOREIGN}/claim")


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_no_page_shows_a_code_or_the_other_language(busy: Console, open_page: OpenPage, language: str) -> None:
    page = open_page(language=language)
    page.goto(busy.url + "/sign-in")
    texts = [page.locator("main").inner_text()]
    enter(page, busy)
    for path in (*PAGES, *REGISTRY, *FLEET):
        page.goto(busy.url + path)
        texts.append(page.locator("main").inner_text())
    page.goto(busy.url + "/")
    page.click("article.card .button")
    expect(page.locator("#sheet .acts")).to_be_visible()
    texts.append(page.locator("#sheet").inner_text())
    page.goto(busy.wall())
    texts.append(page.locator("body").inner_text())
    names = {part for patient in county.PATIENTS for part in (patient[2], patient[4])} | {p[2] for p in county.PEOPLE}
    names |= {gateway[2] for gateway in homes.GATEWAYS}
    for text in texts:
        assert not RAW_CODE.search(text), text
        if language == "en-GB":
            for name in sorted(names, key=len, reverse=True):
                text = text.replace(name, "")
            assert not CJK.search(text), text
        else:
            assert CJK.search(text)


def test_the_language_is_chosen_in_the_header_and_kept(console: Console, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(console.url + "/sign-in")
    page.click("text=English")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    sign_in(page, console)
    expect(page.locator("h1")).to_have_text("Open episodes")
    page.click("text=中文")
    expect(page.locator("h1")).to_have_text("待处理预警")


def test_chinese_is_drawn_and_not_as_boxes(console: Console, open_page: OpenPage) -> None:
    page = open_page(size=WALL)
    page.goto(console.url + "/sign-in")
    drawn = page.evaluate(
        """(glyphs) => glyphs.map((glyph) => {
            const canvas = document.createElement("canvas");
            const pen = canvas.getContext("2d", { willReadFrequently: true });
            pen.font = "40px " + getComputedStyle(document.body).fontFamily;
            pen.fillText(glyph, 10, 60);
            return pen.getImageData(0, 0, 120, 90).data.join();
        })""",
        ["健", "氧", "\U0010ffff"],
    )
    assert len(set(drawn)) == 3, "Chinese is drawn as boxes: install fonts-noto-cjk"


def test_every_answer_carries_the_strict_headers(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        for path in ("/sign-in", "/", "/static/live.js", "/api/v1/episodes", "/wall/qingshi", "/healthz", "/nowhere"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert (headers.get("cache-control") == "no-store") != path.startswith("/static/")


def test_no_page_holds_inline_script_or_style(busy: Console) -> None:
    with httpx.Client(base_url=busy.url) as client:
        pages = [client.get("/sign-in").text, client.get(busy.wall()).text]
    with api(busy) as client:
        pages += [client.get(path).text for path in (*PAGES, *REGISTRY, *FLEET)]
    for text in pages:
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|<style|https?://(?!127)", text)


def test_the_first_page_is_light(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        text = client.get("/sign-in").text
        files = re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))', text)
        size = sum(len(client.get(file).content) for file in files)
    assert files
    assert size < 90_000, "uncompressed; about a third of it on the wire"


def test_the_server_says_whether_it_is_well(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/ready").json() == {"status": "ready"}
        paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/v1/session",
        "/api/v1/episodes",
        "/api/v1/episodes/{episode_id}",
        "/api/v1/episodes/{episode_id}/acknowledge",
        "/api/v1/episodes/{episode_id}/decide",
        "/api/v1/episodes/{episode_id}/refer",
        "/api/v1/referrals",
        "/api/v1/referrals/{referral_id}/say",
        "/api/v1/page-tests",
        "/api/v1/page-tests/answer",
        "/api/v1/page-tests/{page_test_id}",
        "/api/v1/duty",
        "/api/v1/duty/override",
        "/api/v1/duty/leave",
        "/api/v1/duty/swap",
        "/api/v1/duty/changes/{change_id}/accept",
        "/api/v1/duty/changes/{change_id}/revoke",
        "/api/v1/duty/handover",
        "/api/v1/duty/notes",
        "/api/v1/duty/notes/{note_id}/acknowledge",
        "/api/v1/fleet",
        "/api/v1/fleet/{gateway_id}/devices/{address}/claim",
        "/api/v1/fleet/{gateway_id}/devices/{address}/release",
        "/api/v1/registry",
        "/api/v1/registry-to-unbind",
        "/api/v1/registry/{key}",
        "/api/v1/registry/{key}/status",
        "/api/v1/registry/{key}/contacts",
        "/api/v1/registry/{key}/consents",
        "/api/v1/registry/{key}/reviewed",
        "/api/v1/registry/{key}/unbind",
        "/api/v1/silences",
        "/api/v1/silences/{silence_id}/lift",
        "/api/v1/episodes/{episode_id}/members",
        "/api/v1/kits",
        "/api/v1/kits/{kit}/lend",
        "/api/v1/kits/{kit}/return",
        "/api/v1/shared-devices",
        "/api/v1/shared-devices/{device}/choose",
        "/api/v1/bindings/{device}",
        "/api/v1/bindings/{device}/corrections",
        "/api/v1/bindings/{device}/corrections/look",
        "/api/v1/follow-ups",
        "/api/v1/follow-ups/contacts/{contact_id}/decide",
        "/api/v1/follow-ups/{follow_up_id}/cadence",
        "/api/v1/follow-ups/{follow_up_id}/contacts",
        "/api/v1/follow-ups/{follow_up_id}/end",
        "/api/v1/patients/{key}/follow-up",
        "/api/v1/patients/{key}/tasks",
        "/api/v1/tasks",
        "/api/v1/tasks/{task_id}/settle",
    }
