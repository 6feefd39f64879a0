"""Phones and clouds on the page of gateways: who sends, what came, what was refused, and no heartbeat to miss."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from ingest.http import token_book
from tests.dashboards import homes
from tests.dashboards.conftest import DESK, PHONE, Console, OpenPage, api, enter
from tests.dashboards.homes import AWAY, HOME, NEW, WARD, WORN
from tests.ingest.http.server import HttpService, Phone, make_token, now_ms

pytestmark = pytest.mark.long

SENDER = "phone-17"
STRANGER = "C0:00:00:00:00:99"
CLOUD = "康护云 Kanghu Cloud"
NOT_WELL = ("失联", "离线", "从未上线", "尚未上报")


@pytest.fixture
def intake(console: Console, tmp_path: Path) -> Iterator[HttpService]:
    """The county with its gateways and a phone among them, and the HTTP intake before its database."""
    with console.rows() as db:
        homes.settle(db)
        db.execute("INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, 2, '青石村17号')", [SENDER])
        db.execute("UPDATE registry_version SET version = version + 1")
    with HttpService(console.dsn, tmp_path) as running:
        yield running


@pytest.fixture
def phone(console: Console, intake: HttpService) -> Phone:
    """A phone with a token of the county."""
    with console.rows() as db:
        return Phone(intake, make_token(db, "anning", CLOUD), SENDER)


def worn(phone: Phone, *values: float) -> int:
    """Send values of the oximeter that patient 1 wears; give the answer's status."""
    devices = [{"device": WORN, "acquisition": "continuous"}]
    return phone.send(phone.readings(*values, devices=devices)).status


def send_all_kinds(phone: Phone) -> None:
    """Three readings are stored, three are put aside for two reasons, and one message can not be read."""
    assert worn(phone, 97.0, 96.5, 96.0) == 200
    strange = phone.readings(95.0, 94.0, devices=[{"device": STRANGER, "acquisition": "spot"}])
    assert phone.send(strange).status == 207
    memory = [{"device": WORN, "acquisition": "stored"}]
    assert phone.send(phone.readings(96.0, devices=memory, t0_ms=now_ms() + 9_000_000)).status == 207
    for _ in range(2):
        assert phone.send(b"{").status == 400


def card(page: Page, gateway_id: str = SENDER) -> Locator:
    return page.locator(f"#gateway-{gateway_id}")


def opened(page: Page, console: Console) -> Page:
    enter(page, console)
    page.goto(f"{console.url}/fleet")
    return page


def listed(console: Console, key: str = "li-min") -> dict[str, dict[str, Any]]:
    with api(console, key) as client:
        return {each["gateway_id"]: each for each in client.get("/api/v1/fleet").json()}


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_phone_is_shown_by_what_came_from_it_and_never_as_gone(
    console: Console, phone: Phone, open_page: OpenPage, size: dict[str, int]
) -> None:
    send_all_kinds(phone)
    page = opened(open_page(size=size), console)
    expect(card(page).locator(".gateway__standing")).to_contain_text("经 HTTP 发送")
    expect(card(page).locator(".gateway__standing")).to_contain_text("最近读数")
    for word in NOT_WELL:
        expect(card(page)).not_to_contain_text(word)
    facts = card(page).locator(".sender")
    for said in (CLOUD, "安宁县卫生健康局", "3 条读数", "2 条读数", "1 条消息", "目前共有 3 条读数被拒"):
        expect(facts).to_contain_text(said)
    expect(page.locator(".fleet__counts li")).to_have_text(
        ["在线 1", "失联 1", "离线 1", "经 HTTP 发送 1", "从未上线 1"]
    )
    order = [each.get_attribute("id") for each in page.locator("article.gateway").all()]
    assert set(order[:3]) == {f"gateway-{gateway}" for gateway in (WARD, AWAY, NEW)}, "who is not there stands first"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_said_in_english_too(console: Console, phone: Phone, open_page: OpenPage) -> None:
    send_all_kinds(phone)
    page = opened(open_page(language="en-GB"), console)
    expect(card(page).locator(".gateway__standing")).to_contain_text("over HTTP")
    facts = card(page).locator(".sender")
    for said in ("Anning County", "3 readings", "readings: 2", "messages: 1", "not taken in all: 3"):
        expect(facts).to_contain_text(said)


def test_the_api_tells_the_same(console: Console, phone: Phone) -> None:
    send_all_kinds(phone)
    shown = listed(console)
    assert (shown[SENDER]["standing"], shown[SENDER]["heard_at"]) == ("http", None)
    sender = shown[SENDER]["sender"]
    assert (sender["tokens"], sender["stored"], sender["refused"]) == ([CLOUD], 3, 3)
    assert sender["refused_lately"] == {"unknown_device": 2, "future": 1}
    assert list(sender["unread_lately"].values()) == [1], "the same message twice is one"
    assert [each["sender"] for gateway, each in shown.items() if gateway != SENDER] == [None] * 4
    assert SENDER not in listed(console, "zhou-lan"), "the other township's doctor does not see it"


def test_what_was_refused_more_than_a_day_ago_is_not_lately(console: Console, phone: Phone) -> None:
    send_all_kinds(phone)
    with console.rows() as db:
        db.execute(
            "UPDATE rejected SET received_at = received_at - %(day)s, last_received_at = last_received_at - %(day)s"
            " WHERE reason = 'unknown_device'",
            {"day": timedelta(hours=25)},
        )
    sender = listed(console)[SENDER]["sender"]
    assert (sender["refused_lately"], sender["refused"]) == ({"future": 1}, 3)


def test_one_whose_every_request_is_refused_is_seen_to_ask(console: Console, phone: Phone, open_page: OpenPage) -> None:
    assert phone.send(b"{").status == 400
    page = opened(open_page(), console)
    expect(card(page).locator(".sender")).to_contain_text("还没有读数")
    expect(card(page).locator(".sender")).to_contain_text("最近请求")
    assert listed(console)[SENDER]["sender"]["came_at"] is None


def test_a_gateway_that_speaks_is_judged_by_its_heartbeat_whatever_comes_over_http_in_its_name(
    console: Console, phone: Phone, open_page: OpenPage
) -> None:
    """Else a phone that borrows a box's id would hide that the box has fallen silent."""
    for gateway in (HOME, WARD, AWAY):
        phone.gateway_id = gateway
        phone.outbox_id = type(phone.outbox_id)(int=phone.outbox_id.int ^ 1 << len(gateway))
        assert worn(phone, 97.0) in (200, 409)
    shown = listed(console)
    assert [shown[gateway]["standing"] for gateway in (HOME, WARD, AWAY)] == ["online", "silent", "offline"]
    assert all(shown[gateway]["sender"]["tokens"] == [CLOUD] for gateway in (HOME, WARD, AWAY))
    page = opened(open_page(), console)
    expect(card(page, WARD).locator(".gateway__standing")).to_contain_text("失联")
    expect(card(page, WARD).locator(".sender")).to_contain_text(CLOUD)


def test_revoked_tokens_are_said_to_be_and_a_stranger_leaves_no_trace(
    console: Console, phone: Phone, open_page: OpenPage
) -> None:
    assert worn(phone, 97.0) == 200
    with console.rows() as db:
        [token] = token_book.every(db)
        token_book.revoke(db, token.token_id, now=token.created_at)
        other = Phone(phone.service, make_token(db, "liuhe", "柳河"), SENDER)
    assert worn(phone, 96.0) == 401
    assert worn(other, 96.0) == 403
    page = opened(open_page(), console)
    expect(card(page).locator(".sender")).to_contain_text("令牌已于")
    expect(card(page).locator(".trouble")).to_contain_text("均已作废")
    assert listed(console)[SENDER]["sender"]["tokens"] == [CLOUD]
