"""Notices reach a real webhook, once where it can be, again under the same key where it must be."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase

from alerting.delivery import ATTEMPTS_MAX, LEASE_S, WORKERS, deliver
from alerting.desk import connect
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward


class Phone:
    """A webhook that answers with the statuses it is given, then with 204; keeps every key it saw."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.when_called: Callable[[str], None] = lambda _key: None
        self.keys: list[str] = []
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                phone.keys.append(self.headers["Idempotency-Key"])
                phone.when_called(phone.keys[-1])
                self.send_response(phone.statuses.pop(0) if phone.statuses else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, daemon=True)


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """A ward on TimescaleDB alone: what is shown here does not depend on the flavour."""
    with Ward(database) as made:
        yield made


@pytest.fixture
def phone() -> Iterator[Phone]:
    """A running webhook."""
    made = Phone()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def ringing(ward: Ward, phone: Phone) -> Ward:
    """A ward with one notice due, to the doctor's phone."""
    url = f"json://127.0.0.1:{phone.server.server_port}/li"
    ward.connection.execute("UPDATE person SET channels = ARRAY[%s::text] WHERE key = 'li'", (url,))
    ward.connection.execute("UPDATE patient SET household_channels = '{}'")
    ward.spo2(1, [8400] * FALL_S)
    return ward


def send(ward: Ward) -> int:
    with ThreadPoolExecutor(2) as pool:
        return deliver(ward.desk(), pool, speed=1, clock=lambda: ward.now)


def notice(ward: Ward) -> Any:
    return ward.connection.execute("SELECT * FROM notice WHERE recipient_id = 1").fetchone()


def test_a_notice_is_sent_once_with_its_key_and_its_outcome_is_kept(ringing: Ward, phone: Phone) -> None:
    assert send(ringing) == 1
    assert send(ringing) == 0
    sent = notice(ringing)
    assert phone.keys == [sent.key]
    assert (sent.outcome, sent.attempts, sent.due_at) == ("accepted by channel", 1, None)


def test_a_refused_notice_is_tried_again_under_the_same_key(ringing: Ward, phone: Phone) -> None:
    phone.statuses = [503, 503]
    assert send(ringing) == 0
    assert notice(ringing).outcome == "refused"
    ringing.now += timedelta(seconds=2)
    assert send(ringing) == 0
    ringing.now += timedelta(seconds=5)
    assert send(ringing) == 1
    assert len(set(phone.keys)) == 1
    assert len(phone.keys) == 3


def by_channel(ward: Ward) -> list[tuple[str, str]]:
    rows = ward.connection.execute("SELECT key, outcome FROM notice WHERE recipient_id = 1 ORDER BY key").fetchall()
    return [(row.key.rpartition(":")[2], row.outcome) for row in rows]


@pytest.fixture
def two_channels(ward: Ward, phone: Phone) -> Ward:
    """A ward with one notice due to a doctor who has two channels."""
    url = f"json://127.0.0.1:{phone.server.server_port}/li"
    ward.connection.execute("UPDATE person SET channels = ARRAY[%s, %s] WHERE key = 'li'", (url, f"{url}-2"))
    ward.connection.execute("UPDATE patient SET household_channels = '{}'")
    ward.spo2(1, [8400] * FALL_S)
    return ward


def test_a_second_channel_stays_in_reserve_while_the_first_takes_what_it_is_given(
    two_channels: Ward, phone: Phone
) -> None:
    assert send(two_channels) == 1
    two_channels.now += timedelta(hours=1)
    assert send(two_channels) == 0
    assert by_channel(two_channels) == [("0", "accepted by channel"), ("1", "in reserve")]
    assert len(phone.keys) == 1


def test_what_a_channel_refuses_goes_out_by_the_next_at_once_and_by_the_first_again(
    two_channels: Ward, phone: Phone
) -> None:
    phone.statuses = [503]
    assert send(two_channels) == 1
    assert by_channel(two_channels) == [("0", "refused"), ("1", "accepted by channel")]
    two_channels.now += timedelta(seconds=2)
    assert send(two_channels) == 1
    assert by_channel(two_channels) == [("0", "accepted by channel"), ("1", "accepted by channel")]


def test_a_dead_channel_is_tried_a_few_times_only_where_the_next_one_took_it(two_channels: Ward, phone: Phone) -> None:
    phone.statuses = [503, 204, *[503] * ATTEMPTS_MAX * 2]
    for _ in range(ATTEMPTS_MAX * 2):
        send(two_channels)
        two_channels.now += timedelta(seconds=60)
    assert by_channel(two_channels) == [("0", "refused"), ("1", "accepted by channel")]
    assert len(phone.keys) == ATTEMPTS_MAX + 1


def test_what_was_never_tried_goes_before_what_was_refused_again_and_again(ringing: Ward, phone: Phone) -> None:
    ringing.connection.execute(
        "INSERT INTO notice (episode_id, key, recipient, audience, service_tier, step, channel_url, title, body,"
        " created_at, due_at, attempts) SELECT episode_id, key || n, recipient, audience, service_tier, step,"
        " channel_url, title, body, created_at, %s, 3 FROM notice, generate_series(1, %s) n WHERE recipient_id = 1",
        (ringing.now - timedelta(minutes=1), 4 * WORKERS),
    )
    phone.statuses = [503] * 4 * WORKERS
    send(ringing)
    assert phone.keys.index(notice(ringing).key) < WORKERS


def test_a_crash_between_sending_and_recording_sends_again_under_the_same_key(ringing: Ward, phone: Phone) -> None:
    with pytest.raises(ZeroDivisionError), ThreadPoolExecutor(2) as pool:
        deliver(ringing.desk(), pool, speed=1, clock=lambda: 1 / 0)
    assert len(phone.keys) == 1
    assert send(ringing) == 0
    ringing.now += timedelta(seconds=LEASE_S)
    assert send(ringing) == 1
    assert len(phone.keys) == 2
    assert len(set(phone.keys)) == 1


def test_a_dead_channel_is_tried_for_as_long_as_the_episode_is_open(ringing: Ward, phone: Phone) -> None:
    phone.statuses = [500] * (ATTEMPTS_MAX + 3)
    for _ in range(ATTEMPTS_MAX + 3):
        assert send(ringing) == 0
        ringing.now += timedelta(seconds=60)
    assert send(ringing) == 1
    assert len(set(phone.keys)) == 1


def test_the_notice_of_a_closed_episode_is_given_up_at_last_and_says_so(ringing: Ward, phone: Phone) -> None:
    phone.statuses = [500] * (ATTEMPTS_MAX + 1)
    ringing.connection.execute("UPDATE episode SET state = 'closed', due_at = NULL, closed_by = 3")
    for _ in range(ATTEMPTS_MAX):
        send(ringing)
        ringing.now += timedelta(seconds=60)
    assert send(ringing) == 0
    given_up = notice(ringing)
    assert (given_up.attempts, given_up.due_at, given_up.sent_at) == (ATTEMPTS_MAX, None, None)


def test_an_address_no_channel_understands_is_an_outcome_and_blocks_nobody(ringing: Ward, phone: Phone) -> None:
    ringing.connection.execute("UPDATE notice SET channel_url = 'nonsense' WHERE recipient_id = 1")
    ringing.connection.execute(
        "INSERT INTO notice (episode_id, key, recipient, audience, service_tier, step, channel_url, title, body,"
        " created_at, due_at) SELECT episode_id, 'other', 'x', 'operations', 2, 0, %s, 't', 'b', created_at,"
        " created_at FROM notice LIMIT 1",
        (f"json://127.0.0.1:{phone.server.server_port}/x",),
    )
    assert send(ringing) == 1
    assert notice(ringing).outcome == "channel address not understood"
    assert phone.keys == ["other"]


def ask(ward: Ward, phone: Phone, count: int, *, good_for: timedelta = timedelta(hours=1), url: str = "") -> None:
    """Ask the household of patient 1 so many things."""
    for number in range(count):
        ward.connection.execute(
            "INSERT INTO notice (patient_id, good_until, key, recipient, audience, service_tier, step, channel_url,"
            " title, body, created_at, due_at) VALUES (1, %s, %s, 'b1', 'household', 0, 0, %s, 't', 'b', %s, %s)",
            (
                ward.now + good_for,
                f"ask{number}",
                url or f"json://127.0.0.1:{phone.server.server_port}/home",
                ward.now,
                ward.now,
            ),
        )


def outcomes(ward: Ward) -> list[str]:
    found = ward.connection.execute("SELECT outcome FROM notice WHERE patient_id IS NOT NULL ORDER BY key").fetchall()
    return [row.outcome for row in found]


def test_a_question_that_comes_too_late_is_not_sent_and_says_so(ward: Ward, phone: Phone) -> None:
    ask(ward, phone, 1)
    ward.now += timedelta(hours=1)
    assert send(ward) == 0
    assert (phone.keys, outcomes(ward)) == ([], ["too late"])
    row = ward.connection.execute("SELECT due_at FROM notice").fetchone()
    assert row is not None
    assert row.due_at is None


def test_a_question_that_was_refused_is_given_up_when_it_is_too_late(ward: Ward, phone: Phone) -> None:
    phone.statuses = [503]
    ask(ward, phone, 1)
    send(ward)
    assert outcomes(ward) == ["refused"]
    ward.now += timedelta(hours=1)
    send(ward)
    assert (len(phone.keys), outcomes(ward)) == (1, ["too late"])


def test_an_alarm_goes_before_the_questions_that_still_wait_when_it_comes(ringing: Ward, phone: Phone) -> None:
    ringing.connection.execute("UPDATE notice SET due_at = NULL")
    ask(ringing, phone, 4 * WORKERS)

    def ring(_: str) -> None:
        with connect(ringing.dsn, "beside") as beside:
            beside.execute("UPDATE notice SET due_at = %s WHERE recipient_id = 1 AND attempts = 0", (ringing.now,))

    phone.when_called = ring
    send(ringing)
    assert phone.keys.index(notice(ringing).key) == WORKERS
    assert len(phone.keys) == 4 * WORKERS + 1


def test_questions_wait_while_anything_of_an_episode_is_due(ringing: Ward, phone: Phone) -> None:
    ask(ringing, phone, 1)
    send(ringing)
    assert phone.keys == [notice(ringing).key, "ask0"]


N_MGR = NotificationManager()


class Broken(NotifyBase):
    """A channel whose own code fails when it is used."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.made = True

    def url(self, *_: Any, **__: Any) -> str:
        """Name it, as a channel must."""
        return "broken://home"

    def __getattribute__(self, name: str) -> Any:
        if name == "socket_read_timeout" and "made" in vars(self):
            raise ZeroDivisionError
        return super().__getattribute__(name)


def test_a_hand_over_that_raises_is_an_outcome_and_the_others_are_recorded(ringing: Ward, phone: Phone) -> None:
    N_MGR.add(Broken, schemas=("broken",))
    ask(ringing, phone, 1, url="broken://home")
    assert send(ringing) == 1
    assert notice(ringing).outcome == "accepted by channel"
    assert outcomes(ringing) == ["failed: ZeroDivisionError"]
