"""What is kept of a gateway's word: the newest, and the newest that said more than "offline"."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from ingest.judging.status import read_status
from ingest.store.registry import Registry
from ingest.store.storing import Batch, store
from tests.ingest.county import GATEWAY, NOW_MS

ONLINE, LATER, OFFLINE = b'{"state":"online","n":1}', b'{"state":"online","n":2}', b'{"state":"offline"}'
Connection = psycopg.Connection[Any]


@pytest.fixture
def kept(county: Connection) -> Any:
    """A function that hears words, one a second; gives what is online, newest and heartbeat, and when."""

    def hear(*words: tuple[bytes, bool]) -> tuple[Any, ...]:
        for second, (payload, retained) in enumerate(words):
            at_ms = NOW_MS + 1000 * second
            status = read_status(payload, gateway_id=GATEWAY, received_ms=at_ms, retained=retained)
            store(county, Batch(now_ms=at_ms, statuses=[status]), Registry(), retention_days=90)
        [row] = county.execute(
            "SELECT online, status->'n', received_at, heartbeat->'n', heartbeat_at FROM gateway_status"
        ).fetchall()
        return tuple(_second(item) if isinstance(item, datetime) else item for item in row)

    return hear


def _second(at: datetime) -> int:
    return round((at.astimezone(UTC).timestamp() * 1000 - NOW_MS) / 1000)


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ([(ONLINE, False)], (True, 1, 0, 1, 0)),
        ([(ONLINE, False), (LATER, False)], (True, 2, 1, 2, 1)),
        ([(ONLINE, False), (OFFLINE, False)], (False, None, 1, 1, 0)),
        ([(OFFLINE, False)], (False, None, 0, None, None)),
        ([(OFFLINE, False), (ONLINE, False)], (True, 1, 1, 1, 1)),
        ([(ONLINE, True)], (True, 1, 0, 1, None)),
        ([(ONLINE, False), (LATER, True)], (True, 2, 0, 2, 0)),
        ([(ONLINE, True), (LATER, False)], (True, 2, 1, 2, 1)),
    ],
)
def test_the_last_heartbeat_outlives_the_last_will_and_a_retained_word_is_no_news_of_when(
    kept: Any, words: list[tuple[bytes, bool]], row: tuple[Any, ...]
) -> None:
    assert kept(*words) == row
