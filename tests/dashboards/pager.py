"""A real pager for the screens' tests: a webhook that alerting's own delivery sends to, and the links it got."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from alerting.delivery import deliver
from alerting.desk import Desk, connect
from alerting.link import Linking, keys_of
from alerting.profile.file import parse_profile, standard_adult
from tests.dashboards.conftest import SECRET, Console

LINKING = Linking(keys=keys_of(SECRET))


class Pager(AbstractContextManager["Pager"]):
    """`messages` are what arrived, as (title, text); a status in `refuses` is answered instead of taking one."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.messages: list[tuple[str, str]] = []
        self.refuses: list[int] = []
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                pager.messages.append((body["title"], body["message"]))
                self.send_response(pager.refuses.pop(0) if pager.refuses else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"json://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def notify(self, episode_id: int, *, person_id: int = 1, now: datetime | None = None, path: str = "") -> int:
        """Write a notice to a person as paging does; gives its number."""
        at = now or datetime.now(UTC)
        link = f"{self.console.url}{path or f'/episodes/{episode_id}'}"
        values = {
            "episode": episode_id, "key": f"{episode_id}:{at.timestamp()}:{person_id}:0", "person": person_id,
            "url": self.url, "body": f"请家庭医生确认\nplease acknowledge\n{link}", "at": at,
        }  # fmt: skip
        with self.console.rows() as db:
            row = db.execute(
                "INSERT INTO notice (episode_id, key, recipient_id, recipient, audience, service_tier, step,"
                " channel_url, title, body, created_at, due_at) VALUES (%(episode)s, %(key)s, %(person)s, '',"
                " 'family_doctor', 2, 0, %(url)s, '【高 HIGH】W.X.Y.', %(body)s, %(at)s, %(at)s) RETURNING notice_id",
                values,
            ).fetchone()
            assert row is not None
            return int(row[0])

    def deliver(self, *, linking: Linking = LINKING, now: datetime | None = None) -> list[str]:
        """Deliver what is due; gives the last line of every message that came."""
        before = len(self.messages)
        at = now or datetime.now(UTC)
        with connect(self.console.dsn, "test") as connection, ThreadPoolExecutor(2) as pool:
            desk = Desk(connection=connection, profile=parse_profile(standard_adult()), now=at, link=self.console.url)
            deliver(desk, pool, speed=1, clock=lambda: at, linking=linking)
        return [text.splitlines()[-1] for _, text in self.messages[before:]]

    def link(self, episode_id: int, **notice: Any) -> str:
        """Page a person about an episode; gives the link in the message."""
        self.notify(episode_id, **notice)
        return self.deliver(now=notice.get("now"))[-1]
