"""The HTTP intake when the database goes, is a standby, lacks its tables, or the process itself is killed."""

import random
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.migrations import migrate
from hearthwatch.services.postgres import Postgres
from tests.ingest.county import REGISTRY, connect, rows_of
from tests.ingest.http.server import Answered, HttpService, Phone, make_token
from tests.ingest.service import wait_until

SAMPLES = "SELECT count(*), count(DISTINCT measured_at) FROM sample"
HELD_UP = """
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711);
    RETURN NULL;
END $$;
"""
BEFORE_THE_COMMIT = "CREATE TRIGGER hold_up AFTER INSERT ON intake_log FOR EACH ROW EXECUTE FUNCTION hold_up()"
WITHIN_THE_COMMIT = """
CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON intake_log DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION hold_up()
"""
WAITING = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
READ_ONLY = """
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$
"""
OTHERS = "SELECT FROM pg_stat_activity WHERE application_name = 'hearthwatch-ingest-http'"
NO_ANSWER = (OSError, ValueError, HTTPException)
"""What comes instead of an answer where the server dies: nothing, or half of one."""
SETTLED = (200, 207, 409)


@pytest.mark.parametrize("flavour", ["own_timescale", "own_plain"])
def test_a_database_that_goes_is_told_and_what_was_refused_is_taken_when_it_is_back(
    request: pytest.FixtureRequest, flavour: str, tmp_path: Path
) -> None:
    server: Postgres = request.getfixturevalue(flavour)
    migrate(server.dsn())
    with connect(server.dsn()) as county:
        county.execute(REGISTRY)
        token = make_token(county)
    with HttpService(server.dsn(), tmp_path, patience_s="0.5") as service:
        phone = Phone(service, token)
        assert phone.send(phone.readings(97)).status == 200
        assert service.get("/ready").body == {"status": "ready"}
        server.kill()
        wait_until(lambda: service.get("/ready").status == 503, "it is not ready")
        assert service.get("/ready").body["trouble"] == "unreachable"
        document = phone.readings(96, 95)
        answer = phone.send(document)
        assert (answer.status, answer.name, answer.body["trouble"]) == (503, "database", "unreachable")
        assert int(answer.headers["Retry-After"]) > 0
        assert service.get("/healthz").status == 200
        server.start()
        wait_until(lambda: phone.send(document).status in SETTLED, "it is taken after the database is back")
        wait_until(lambda: service.get("/ready").status == 200, "it is ready again")
        with connect(server.dsn()) as county:
            assert rows_of(county, SAMPLES) == [(3, 3)]
            assert rows_of(county, "SELECT taken::text FROM outbox_account") == [("{[0,3)}",)]
        assert service.stop() == 0


@pytest.mark.parametrize(("moment", "status"), [(BEFORE_THE_COMMIT, 200), (WITHIN_THE_COMMIT, 409)])
def test_a_request_cut_by_a_kill_is_stored_once_when_it_is_sent_again(
    any_database: str, tmp_path: Path, moment: str, status: int
) -> None:
    """Killed before the commit nothing was stored, killed within it all was: the sender can not tell, and need not."""
    with connect(any_database) as county, connect(any_database) as gate:
        county.execute(REGISTRY)
        county.execute(HELD_UP)
        county.execute(moment.encode())
        with HttpService(any_database, tmp_path, patience_s="30") as service:
            phone = Phone(service, make_token(county))
            document = phone.readings(97, 96, 95)
            gate.execute("SELECT pg_advisory_lock(4711)")
            sender = Sender(phone, document)
            wait_until(lambda: rows_of(county, WAITING), "the request is in its transaction")
            service.kill()
            sender.join()
            assert sender.answer is None
            gate.execute("SELECT pg_advisory_unlock(4711)")
            wait_until(lambda: not rows_of(county, OTHERS), "its transaction has ended")
            service.start()
            answer = phone.send(document)
            assert (answer.status, answer.body["rows"]) == (status, 3)
            assert rows_of(county, SAMPLES) == [(3, 3)]
            assert rows_of(county, "SELECT sum(octet_length(payload)) FROM intake_log") == [(3 * 24,)]


def test_killed_again_and_again_under_load_it_stores_all_once(database: str, tmp_path: Path) -> None:
    draw = random.Random(20260301)
    with connect(database) as county, HttpService(database, tmp_path, requests_per_s="1000") as service:
        county.execute(REGISTRY)
        token = make_token(county)
        phones = [Courier(Phone(service, token), number) for number in range(4)]
        for _ in range(5):
            goal = rows_of(county, "SELECT count(*) FROM sample")[0][0] + draw.randrange(1, 40)
            wait_until(lambda goal=goal: rows_of(county, SAMPLES)[0][0] >= goal, "readings go in")
            service.kill()
            service.start()
        for phone in phones:
            phone.finish()
        sent = sum(phone.rows for phone in phones)
        assert rows_of(county, SAMPLES) == [(sent, sent)]
        assert rows_of(county, "SELECT count(*) FROM rejected") == [(0,)]
        assert rows_of(county, "SELECT sum(octet_length(payload)) / 24 FROM intake_log") == [(sent,)]
        accounts = [account for (account,) in rows_of(county, "SELECT taken::text FROM outbox_account")]
        assert sorted(accounts) == sorted(f"{{[0,{phone.rows})}}" for phone in phones)


def test_a_standby_and_missing_tables_are_told_by_name(empty_database: str, tmp_path: Path) -> None:
    dsn = empty_database
    with HttpService(dsn, tmp_path, patience_s="0.3") as service:
        answer = service.get("/ready")
        assert (answer.status, answer.name, answer.body["trouble"]) == (503, "database", "no_schema")
        phone = Phone(service, "hwi_" + "A" * 43)
        assert phone.send(phone.readings(97)).body["trouble"] == "no_schema"
        migrate(dsn)
        wait_until(lambda: service.get("/ready").status == 200, "it is ready once the tables are there")
        assert phone.send(phone.readings(97)).name == "token_unknown"
        with connect(dsn) as county:
            county.execute(REGISTRY)
            phone.token = make_token(county)
            county.execute(READ_ONLY)
            county.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^hearth'")
        wait_until(lambda: service.get("/ready").body.get("trouble") == "read_only", "it says why it is not ready")
        answer = phone.send(phone.readings(97))
        assert (answer.status, answer.body["trouble"]) == (503, "read_only")


class Sender:
    """One request in a thread of its own; `answer` stays None where none came."""

    def __init__(self, phone: Phone, document: dict[str, Any]) -> None:
        self.answer: Answered | None = None
        self._thread = threading.Thread(target=self._send, args=(phone, document))
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _send(self, phone: Phone, document: dict[str, Any]) -> None:
        try:
            self.answer = phone.send(document)
        except NO_ANSWER:
            return


class Courier:
    """A phone that sends run after run, each until it is settled, whatever happens."""

    def __init__(self, phone: Phone, number: int) -> None:
        phone.begin_ms -= 7_200_000 * number
        self._phone = phone
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def rows(self) -> int:
        """How many rows it has made."""
        return self._phone.next_row

    def finish(self) -> None:
        """Let it end with what it has made."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            document = self._phone.readings(97, 96, 95)
            wait_until(lambda document=document: self._is_settled(document), "a run is settled", within_s=60)

    def _is_settled(self, document: dict[str, Any]) -> bool:
        try:
            return self._phone.send(document).status in SETTLED
        except NO_ANSWER:
            return False
