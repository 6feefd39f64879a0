"""Tests of paging on the screen: a button pages, links and signed-in people answer, the page says who did not."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from tests.dashboards.conftest import PHONE, Console, OpenPage, api, enter
from tests.dashboards.pager import Pager

PEOPLE = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier) VALUES
    (5, 'sun-yan', '孙燕', 'Sun Yan', 1, 'coordinator', 2),
    (6, 'ma-lin', '马林', 'Ma Lin', 3, 'coordinator', 2);
INSERT INTO duty (organisation_id, duty_role, person_id, valid) VALUES (2, 'township_duty', 4, '[2020-01-01,)');
"""


@pytest.fixture
def pager(console: Console) -> Iterator[Pager]:
    """A county whose doctors li-min and zhou-lan and whose wu-jie on duty have one pager."""
    with Pager(console) as made, console.rows() as db:
        db.execute(PEOPLE.encode())
        db.execute("UPDATE person SET channels = %s WHERE person_id IN (1, 2, 4)", [[made.url]])
        db.commit()
        yield made


def test_a_coordinator_pages_by_a_button_and_sees_who_answers(
    console: Console, open_page: OpenPage, pager: Pager
) -> None:
    page = open_page()
    enter(page, console, "sun-yan")
    page.click("nav >> text=传呼演练")
    expect(page.locator("main")).to_contain_text("此处尚未进行过传呼演练")
    page.click("text=现在开始演练")
    expect(page.locator(".test__person")).to_have_count(3)
    links = pager.deliver()
    assert len(links) == 3
    phone = open_page(size=PHONE)
    phone.goto(links[0])
    expect(phone.locator(".link__test")).to_contain_text("演练")
    phone.click("text=我已收到此演练")
    expect(phone.locator(".link__said")).to_contain_text("谢谢")
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".test__person--answered")).to_have_count(1)  # by itself, within seconds
    expect(page.locator(".test__person--no_answer")).to_have_count(2)
    expect(page.locator(".test__person--no_answer").first).to_contain_text("未应答")
    with console.rows() as db:
        assert db.execute("SELECT count(*) FROM episode").fetchone() == (0,)


def test_a_second_press_says_why_nothing_began(console: Console, open_page: OpenPage, pager: Pager) -> None:
    page = open_page()
    enter(page, console, "sun-yan")
    for _ in range(2):
        page.goto(console.url + "/page-tests")
        page.click("text=现在开始演练")
        expect(page.locator(".test__person")).to_have_count(3)
    expect(page.locator(".trouble")).to_contain_text("未开始演练")
    assert len(pager.deliver()) == 3


def test_whoever_is_asked_can_answer_signed_in_and_sees_no_report(
    console: Console, open_page: OpenPage, pager: Pager
) -> None:
    with api(console, "sun-yan") as client:
        assert client.post("/api/v1/page-tests", json={}).status_code == 200
    page = open_page(size=PHONE)
    enter(page, console)
    page.goto(console.url + "/page-tests")
    page.click("text=我已收到此演练")
    expect(page.locator("main")).to_contain_text("目前没有需要您应答的演练")
    expect(page.locator(".test__person")).to_have_count(0)
    assert pager.deliver()
    with api(console, "sun-yan") as client:
        people = {each["person"]: each for each in client.get("/api/v1/page-tests/1").json()["people"]}
    assert people["li-min"]["came"] == "answered"
    assert people["zhou-lan"]["came"] == "no_answer"


def test_the_api_does_what_the_page_does_under_the_same_rights(console: Console, pager: Pager) -> None:
    for key in ("li-min", "chen-gang", "wu-jie"):
        with api(console, key) as client:
            assert client.post("/api/v1/page-tests", json={}).status_code == 403
            assert client.get("/api/v1/page-tests").status_code == 403
            assert client.get("/api/v1/page-tests/1").status_code == 403
    with api(console, "sun-yan") as client:
        begun = client.post("/api/v1/page-tests", json={"everybody": False})
        assert begun.status_code == 200
        assert begun.json()["figures"]["paged"] == 3
        assert set(begun.json()["untested"]) == {"li-min", "zhou-lan", "wu-jie"}
        assert client.post("/api/v1/page-tests", json={}).status_code == 409
        assert client.post("/api/v1/page-tests", json={"whom": 1}).status_code == 422
        assert len(client.get("/api/v1/page-tests").json()) == 1
    with api(console, "wu-jie") as client:
        assert [client.post("/api/v1/page-tests/answer").status_code for _ in range(2)] == [204, 204]
    with api(console, "sun-yan") as client:
        assert client.get("/api/v1/page-tests/1").json()["figures"]["answered"] == 1
    with api(console, "ma-lin") as client:  # of another township: the county's is out of sight
        assert client.get("/api/v1/page-tests").json() == []
        assert client.get("/api/v1/page-tests/1").status_code == 404
    assert httpx.get(f"{console.url}/api/v1/page-tests").status_code == 401
    assert len(pager.deliver()) == 3
