"""Signing in and out by hand; guessing is braked; a form without its token is refused."""

import httpx
from playwright.sync_api import expect

from tests.dashboards import county
from tests.dashboards.conftest import Console, OpenPage, sign_in


def test_the_right_password_opens_the_inbox_and_signing_out_closes_it(console: Console, open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, console)
    expect(page.locator("h1")).to_have_text("待处理预警")
    expect(page.locator(".bar__who")).to_contain_text("李敏")
    page.click("text=退出")
    expect(page).to_have_url(console.url + "/sign-in")
    page.goto(console.url + "/patients/p-001")
    expect(page).to_have_url(console.url + "/sign-in?next=/patients/p-001")


def test_the_page_asked_for_comes_after_signing_in(console: Console, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(console.url + "/patients/p-001")
    page.fill("[name=key]", "li-min")
    page.fill("[name=password]", county.PASSWORD)
    page.click("main button")
    expect(page.locator("h1")).to_contain_text("王秀英")


def test_a_wrong_password_is_said_and_kept(console: Console, open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, console, password="wrong")
    expect(page.locator(".trouble")).to_have_text("账号或密码不正确。")
    expect(page.locator("[name=key]")).to_have_value("li-min")
    with console.rows() as db:
        assert db.execute("SELECT count(*) FROM sign_in_failure").fetchone() == (1,)


def test_guessing_is_braked_and_the_brake_is_per_key_and_address(console: Console) -> None:
    wrong = {"key": "li-min", "password": "guess"}
    with httpx.Client(base_url=console.url) as client:
        answers = [client.post("/api/v1/session", json=wrong).status_code for _ in range(6)]
        right = client.post("/api/v1/session", json={"key": "li-min", "password": county.PASSWORD})
        other = client.post("/api/v1/session", json={"key": "chen-gang", "password": county.PASSWORD})
    assert answers == [401] * 5 + [429]
    assert right.status_code == 429
    assert other.status_code == 200


def test_an_unknown_key_and_a_wrong_password_sound_the_same(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        unknown = client.post("/api/v1/session", json={"key": "nobody", "password": "x"})
        wrong = client.post("/api/v1/session", json={"key": "li-min", "password": "x"})
    assert (unknown.status_code, unknown.json()) == (wrong.status_code, wrong.json())


def test_the_session_lies_in_the_database_as_a_hash_and_ends_there(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        answer = client.post("/api/v1/session", json={"key": "li-min", "password": county.PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        token = client.cookies["hearthwatch_session"]
        with console.rows() as db:
            hashed = db.execute("SELECT token_hash FROM console_session").fetchall()
            assert token.encode() not in hashed[0][0]
            db.execute("UPDATE console_session SET expires_at = now() - interval '1 s'")
        assert client.get("/api/v1/episodes").status_code == 401


def test_a_form_without_its_token_is_refused(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        form = {"key": "li-min", "password": county.PASSWORD}
        assert client.post("/sign-in", data=form).status_code == 403
        client.get("/sign-in")
        assert client.post("/sign-in", data=form | {"csrf": "made up"}).status_code == 403


def test_no_address_leads_away_from_the_site(console: Console) -> None:
    with httpx.Client(base_url=console.url) as client:
        for target in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
            answer = client.get("/language/en", params={"next": target})
            assert answer.headers["location"] == "/"
