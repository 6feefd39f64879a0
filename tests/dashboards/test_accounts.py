"""The page of what became of every reading: the sum adds up, losses stand first, and nobody sees another's gateways."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Page, expect

from ingest.store.storing import prepare
from ingest.tend.adding_up import add_up
from ingest.tend.metrics import TendingMetrics
from tests.dashboards import homes
from tests.dashboards.conftest import PHONE, Console, OpenPage, enter
from tests.dashboards.homes import AWAY, ELSEWHERE, HOME, WARD, WORN
from tests.ingest.county import SPO2, put
from tests.ingest.county import Home as Outbox

NOW = datetime.now(UTC)


def sent(db: psycopg.Connection[Any], gateway_id: str, good: int, *, strange: int = 0, twice: int = 0) -> Outbox:
    """Let a gateway send readings of a known device, of an unknown one, and some again under numbers of their own."""
    outbox, now_ms = Outbox(gateway_id=gateway_id, next_row=1), int(NOW.timestamp() * 1000)
    base_ms = now_ms - 3_600_000 - hash_of(gateway_id)
    rows = [(at * 1000 % 60_000 + at // 60, SPO2, 9500) for at in range(good)]
    put(db, outbox.message(rows, devices=[WORN], t0_ms=base_ms), gateway_id=gateway_id, received_ms=now_ms)
    if twice:
        put(db, outbox.message(rows[:twice], devices=[WORN], t0_ms=base_ms), gateway_id=gateway_id, received_ms=now_ms)
    if strange:
        rows = [(at, SPO2, 9400) for at in range(strange)]
        message = outbox.message(rows, devices=["C0:00:00:00:00:EE"], t0_ms=base_ms)
        put(db, message, gateway_id=gateway_id, received_ms=now_ms)
    return outbox


def hash_of(gateway_id: str) -> int:
    return uuid.uuid5(uuid.NAMESPACE_DNS, gateway_id).int % 1_000_000 * 60


def tells(db: psycopg.Connection[Any], gateway_id: str, outbox: Outbox, at: datetime = NOW, **counts: Any) -> None:
    word = {"id": str(outbox.outbox_id), "accepted": 0, "thinned": 0, "depth": 0, **counts}
    homes.hear(db, gateway_id, homes.heartbeat(outbox=word), at=at)


@pytest.fixture
def counted(console: Console) -> Console:
    """Three gateways with readings: one with some on their way, one with refused ones, one that thinned."""
    with console.rows() as db:
        homes.settle(db)
        db.execute("TRUNCATE outbox_word")
        tells(db, HOME, sent(db, HOME, 1200, twice=7), accepted=1212, depth=5)
        tells(db, WARD, sent(db, WARD, 640, strange=12), NOW - timedelta(minutes=4), accepted=652)
        tells(db, AWAY, sent(db, AWAY, 300), accepted=9300, thinned=3000, depth=6000)
        tells(db, ELSEWHERE, sent(db, ELSEWHERE, 50), accepted=150)
    with psycopg.connect(console.dsn, autocommit=True) as db:
        prepare(db)
        add_up(db, NOW - timedelta(hours=2), metrics=TendingMetrics())
    return console


def opened(page: Page, console: Console, link: str = "读数") -> Page:
    enter(page, console)
    page.click(f"nav >> text={link}")
    expect(page).to_have_url(f"{console.url}/accounts")
    return page


def numbers(page: Page, gateway_id: str) -> list[str]:
    cells = page.locator(f"#account-{gateway_id} td").all()
    return [cell.inner_text().split("\n")[0] for cell in cells]


def test_every_accepted_reading_has_its_place_and_none_is_lost(counted: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), counted)
    expect(page.locator("#lost-readings")).to_have_text("0 条读数丢失")
    assert numbers(page, HOME) == ["1 212", "1 200", "7", "0", "0", "5", "0"]
    assert numbers(page, WARD) == ["652", "640", "0", "12", "0", "0", "0"]
    assert numbers(page, AWAY) == ["9 300", "300", "0", "0", "3 000", "6 000", "0"]
    expect(page.locator(f"#account-{WARD}")).to_contain_text("该设备未登记。")
    expect(page.locator(f"#account-{ELSEWHERE}")).to_have_count(0)


def test_losses_stand_first_and_say_since_when(counted: Console, open_page: OpenPage) -> None:
    with psycopg.connect(counted.dsn, autocommit=True) as db:
        db.execute("UPDATE outbox_word SET accepted = accepted + 40 WHERE gateway_id = %s", [WARD])
        add_up(db, NOW - timedelta(hours=1), metrics=TendingMetrics())
    page = opened(open_page(language="en-GB"), counted, "Readings")
    expect(page.locator("#lost-readings")).to_have_text("40 readings lost")
    expect(page.locator("tbody tr").first).to_have_attribute("id", f"account-{WARD}")
    expect(page.locator(f"#account-{WARD} td").last).to_contain_text("since")
    expect(page.locator(f"#account-{WARD}")).to_contain_text("The device is not in the registry.")


def test_the_page_fits_a_phone(counted: Console, open_page: OpenPage) -> None:
    page = opened(open_page(size=PHONE), counted)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(f"#account-{HOME} td").first).to_contain_text("1 212")


def test_the_numbers_follow_by_themselves(counted: Console, open_page: OpenPage) -> None:
    page = opened(open_page(), counted)
    with counted.rows() as db:
        db.execute("UPDATE outbox_word SET accepted = accepted + 3 WHERE gateway_id = %s", [WARD])
    page.evaluate("htmx.trigger('#accounts', 'revealed'); htmx.ajax('GET', '/accounts/list', '#accounts')")
    expect(page.locator("#lost-readings")).to_have_text("3 条读数丢失")


def test_holes_as_wide_as_numbers_allow_break_nothing(counted: Console, open_page: OpenPage) -> None:
    with counted.rows() as db:
        prepare(db)
        for _ in range(3):
            outbox = Outbox(gateway_id=HOME)
            for first_row in (0, 2**62 - 1):
                put(db, outbox.message([(0, SPO2, 9500)], devices=[WORN], first_row=first_row), gateway_id=HOME)
    page = open_page()
    enter(page, counted)
    response = page.goto(f"{counted.url}/accounts")
    assert response is not None
    assert response.status == 200


def test_nobody_sees_it_who_is_not_signed_in(counted: Console, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(f"{counted.url}/accounts")
    expect(page).to_have_url(f"{counted.url}/sign-in?next=/accounts")
