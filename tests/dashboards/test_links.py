"""Links in notices: two taps on a phone take responsibility without signing in, once, and nothing else does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from alerting.link import Linking, keys_of
from dashboards.sessions import FAILURES_MOST
from tests.dashboards import county
from tests.dashboards.conftest import PHONE, SECRET, Console, OpenPage, sign_in
from tests.dashboards.pager import Pager

LAST_SECRET = "the secret of last year"


@pytest.fixture
def pager(console: Console) -> Iterator[Pager]:
    with Pager(console) as made:
        yield made


@pytest.fixture
def episode_id(console: Console) -> int:
    """A critical alarm of patient 1, whose family doctor is person 1."""
    with console.rows() as db:
        return county.add_alarm(db, county.CRITICAL, datetime.now(UTC))


def state_of(console: Console, episode_id: int) -> tuple[Any, ...]:
    with console.rows() as db:
        row = db.execute("SELECT state, acknowledged_by FROM episode WHERE episode_id = %s", [episode_id]).fetchone()
        assert row is not None
        return row


def acknowledged(console: Console) -> list[tuple[Any, ...]]:
    with console.rows() as db:
        return db.execute("SELECT actor_id, channel FROM episode_event WHERE kind = 'acknowledged'").fetchall()


def used(console: Console) -> int:
    with console.rows() as db:
        row = db.execute("SELECT count(*) FROM notice WHERE link_used_at IS NOT NULL").fetchone()
        assert row is not None
        return int(row[0])


def test_two_taps_on_a_phone_take_responsibility_without_signing_in(
    console: Console, open_page: OpenPage, pager: Pager, episode_id: int
) -> None:
    page = open_page(size=PHONE)
    page.goto(pager.link(episode_id))
    expect(page.locator("main")).to_contain_text("W.X.Y.")
    expect(page.locator("main")).to_contain_text("203床")
    expect(page.locator("main")).to_contain_text("血氧极低")
    expect(page.locator("main")).to_contain_text("以李敏的身份")
    assert "王秀英" not in page.content()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".link__take").bounding_box()
    assert box is not None
    assert (box["height"] >= 80, box["y"] + box["height"] < PHONE["height"]) == (True, True)
    page.click("text=我来负责")
    expect(page.locator(".link__said")).to_contain_text("您已负责此警报")
    assert state_of(console, episode_id) == ("t3_unack", 1)
    assert acknowledged(console) == [(1, "link")]
    page.click("text=查看读数并作决定")
    expect(page.locator("[name=password]")).to_be_visible()  # what goes beyond needs to sign in
    assert f"/episodes/{episode_id}" in httpx.URL(page.url).params["next"]


def test_fetching_a_link_changes_nothing_however_often(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    before = state_of(console, episode_id)
    for method in ("GET", "HEAD", "OPTIONS", "GET", "PUT", "DELETE", "GET"):
        httpx.request(method, link, headers={"User-Agent": "LinkPreview/1.0"}, follow_redirects=True)
    assert (state_of(console, episode_id), acknowledged(console), used(console)) == (before, [], 0)
    assert httpx.post(link).status_code == 200
    assert acknowledged(console) == [(1, "link")]


def test_a_link_is_good_once(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    assert httpx.post(link).status_code == 200
    for again in (httpx.post(link), httpx.get(link)):
        assert again.status_code == 410
        assert "此链接已经使用过" in again.text
        assert "李敏已于" in again.text
        assert f'href="/episodes/{episode_id}"' in again.text
        assert '<form method="post" action="/a/' not in again.text
    assert acknowledged(console) == [(1, "link")]


def test_of_many_taps_at_once_one_counts(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(lambda _: httpx.post(link, timeout=60).status_code, range(8)))
    assert codes == [200] + [410] * 7
    assert acknowledged(console) == [(1, "link")]


def test_a_notice_that_was_sent_twice_has_one_use(pager: Pager, episode_id: int) -> None:
    pager.refuses = [503]
    now = datetime.now(UTC)
    first = pager.link(episode_id, now=now)
    (second,) = pager.deliver(now=now + timedelta(seconds=5))
    assert first != second
    assert httpx.post(first).status_code == 200
    assert "此链接已经使用过" in httpx.post(second).text


def test_an_expired_link_says_so_and_leads_to_signing_in(console: Console, pager: Pager, episode_id: int) -> None:
    now = datetime.now(UTC)
    with console.rows() as db:
        db.execute("UPDATE episode SET alarmed_at = %s", [now - timedelta(hours=1)])
    good = pager.link(episode_id, now=now - timedelta(minutes=29, seconds=30))
    late = pager.link(episode_id, now=now - timedelta(minutes=30, seconds=1))
    assert httpx.get(good).status_code == 200
    for answer in (httpx.get(late), httpx.post(late)):
        assert answer.status_code == 410
        assert "此链接已过期" in answer.text
        assert f'href="/episodes/{episode_id}"' in answer.text
    assert (acknowledged(console), used(console)) == ([], 0)


def test_a_forged_link_is_refused(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    root, _, token = link.rpartition("/")
    forged = [token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :] for place in range(0, 32, 5)]
    (other,) = (pager.notify(episode_id, person_id=2), *pager.deliver(linking=Linking(keys=keys_of("x" * 20))))[1:]
    for each in [*forged, token[:-1], token + "A", "%00", "../" * 3, other.rpartition("/")[2]]:
        answer = httpx.post(f"{root}/{each}")
        assert answer.status_code in (404, 405), each
        assert "W.X.Y." not in answer.text
    assert (acknowledged(console), used(console)) == ([], 0)


def test_what_was_bound_to_another_person_or_alarm_is_forged(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    with console.rows() as db:
        db.execute("UPDATE notice SET recipient_id = 2")
    assert httpx.post(link).status_code == 404
    assert acknowledged(console) == []


def test_an_alarm_that_has_sounded_anew_needs_its_newest_link(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    with console.rows() as db:
        db.execute("UPDATE episode SET alarmed_at = now() + interval '1 ms'")
    answer = httpx.post(link)
    assert (answer.status_code, "此后警报再次响起" in answer.text) == (410, True)
    assert (acknowledged(console), used(console)) == ([], 0)


def test_what_somebody_else_has_answered_says_who(console: Console, pager: Pager, episode_id: int) -> None:
    link, later = pager.link(episode_id), pager.link(episode_id, person_id=4)
    assert httpx.post(later).status_code == 200
    answer = httpx.post(link)
    assert answer.status_code == 410
    assert "此警报已有人应答" in answer.text
    assert "吴杰已于" in answer.text
    assert acknowledged(console) == [(4, "link")]


def test_a_closed_episode_has_nothing_to_acknowledge(console: Console, pager: Pager, episode_id: int) -> None:
    link = pager.link(episode_id)
    with console.rows() as db:
        db.execute("UPDATE episode SET state = 'closed', due_at = NULL, closed_by = 3")
    assert httpx.post(link).status_code == 410
    assert used(console) == 0


def test_the_last_secret_is_accepted_while_the_new_one_signs(database: str) -> None:
    county.fill(database)
    running = Console(database, link_secret=SECRET, link_secret_before=LAST_SECRET)
    running.start()
    try:
        with running.rows() as db:
            numbers = [county.add_alarm(db, alarm, datetime.now(UTC)) for alarm in (county.CRITICAL, county.FEVER)]
        with Pager(running) as pager:
            pager.notify(numbers[0])
            (old,) = pager.deliver(linking=Linking(keys=keys_of(LAST_SECRET)))
            pager.notify(numbers[1])
            (new,) = pager.deliver(linking=Linking(keys=keys_of(SECRET, LAST_SECRET)))
        assert [httpx.post(link).status_code for link in (old, new)] == [200, 200]
        running.stop()
        running._settings["link_secret_before"] = ""
        running.start()
        assert [httpx.get(link).status_code for link in (old, new)] == [404, 410]
    finally:
        running.stop()


def test_without_a_secret_links_lead_to_the_console(database: str) -> None:
    county.fill(database)
    running = Console(database, link_secret="")
    running.start()
    try:
        with running.rows() as db:
            number = county.add_alarm(db, county.CRITICAL, datetime.now(UTC))
        with Pager(running) as pager:
            pager.notify(number)
            assert pager.deliver(linking=Linking()) == [f"{running.url}/episodes/{number}"]
            signed = pager.link(number, person_id=2)
        assert httpx.post(signed).status_code == 404
        assert acknowledged(running) == []
    finally:
        running.stop()


def test_a_link_to_anything_else_stays_as_it_is(console: Console, pager: Pager, episode_id: int) -> None:
    assert pager.link(episode_id, path="/referrals#referral-1") == f"{console.url}/referrals#referral-1"


def test_trying_links_is_braked_and_holds_up_neither_good_ones_nor_signing_in(
    console: Console, open_page: OpenPage, pager: Pager, episode_id: int
) -> None:
    link = pager.link(episode_id)
    root = link.rpartition("/")[0]
    codes = [httpx.get(f"{root}/{number:032}").status_code for number in range(FAILURES_MOST["address"] + 2)]
    assert codes == [404] * FAILURES_MOST["address"] + [429] * 2
    assert httpx.post(link).status_code == 200
    page = open_page()
    sign_in(page, console)
    expect(page.locator("#inbox")).to_be_visible()


def test_a_link_in_english_reads_english(open_page: OpenPage, pager: Pager, episode_id: int) -> None:
    page = open_page(size=PHONE, language="en")
    page.goto(pager.link(episode_id))
    expect(page.locator("main")).to_contain_text("SpO₂ critically low")
    page.click("text=I take responsibility")
    expect(page.locator(".link__said")).to_contain_text("You have taken responsibility")
