"""docs/ingest.md: what becomes of each kind of reading by broker and by HTTP, and the tests that its table names."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import psycopg
import pytest

from hearthwatch.services.mosquitto import Mosquitto
from ingest.judging.rejection import ROW_REJECTIONS, Rejection
from tests.ingest.county import connect, rows_of
from tests.ingest.fates import Fate, fates, settle
from tests.ingest.http.server import HttpService, Phone, make_token
from tests.ingest.service import Publisher, Service, wait_until
from vitals.topics import Leaf

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "ingest.md").read_text()
NAMED = re.compile(r"`(test_\w+\.py|http/test_\w+\.py|alerting/test_\w+\.py|gateway/[\w/]+\.py)::(test_\w+)`")


def test_each_by_the_broker_is_kept_counted_and_told_as_the_page_says(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        connect(database) as county,
        Service(database, own_broker, tmp_path) as service,
        ExitStack() as stack,
    ):
        settle(county)
        sender = cache(lambda gateway_id: stack.enter_context(Publisher(own_broker, gateway_id)))
        for fate in fates(now_ms()):
            before, counted_before = books(county), service.counted(fate.counter)
            gateway = sender(fate.gateway_id)
            gateway.send(fate.payload, Leaf(fate.leaf))
            wait_until(partial(has_counted, service, fate, counted_before + 1), f"{fate.name} is counted")
            assert grown(before, books(county)) == (fate.stores, [fate.refused] if fate.refused else []), fate.name
            wait_until(partial(was_told, gateway, fate), f"{fate.name}: its sender is told")
        told = sum(fate.told is not None for fate in fates(0) if fate.gateway_id == "gw-1")
        assert len(sender("gw-1").words) == told, "of what could not be read nobody is told"


def test_each_over_http_is_kept_counted_and_told_as_the_page_says(database: str, tmp_path: Path) -> None:
    with connect(database) as county, HttpService(database, tmp_path) as service:
        settle(county)
        phone = Phone(service, make_token(county))
        for fate in fates(now_ms()):
            if fate.over_http is None:
                continue
            before = books(county), counted(service, fate.counter)
            answer = phone.send(fate.payload, gateway_id=fate.gateway_id)
            status, said = fate.over_http
            assert answer.status == status, (fate.name, answer.body)
            if isinstance(said, str):
                assert answer.name == said, fate.name
            else:
                assert [each[:2] for each in answer.fates] == [said], fate.name
            kept = [fate.refused] if fate.refused and fate.kept_over_http else []
            assert grown(before[0], books(county)) == (fate.stores, kept), fate.name
            assert counted(service, fate.counter) - before[1] == fate.kept_over_http, fate.name


def has_counted(service: Service, fate: Fate, count: float) -> bool:
    return service.counted(fate.counter) == count


def was_told(gateway: Publisher, fate: Fate) -> bool:
    if fate.told is None:
        return True
    outbox, row = fate.told
    return {"outbox_id": outbox, "stored": [[row, row + 1]]} in gateway.words


def now_ms() -> int:
    return int(time.time() * 1000)


def books(county: psycopg.Connection) -> tuple[int, list[str]]:
    """Count the readings stored, and list what lies refused."""
    [(stored,)] = rows_of(county, "SELECT count(*) FROM reading")
    return stored, [reason for (reason,) in rows_of(county, "SELECT reason FROM rejected ORDER BY rejected_id")]


def grown(before: tuple[int, list[str]], after: tuple[int, list[str]]) -> tuple[int, list[str]]:
    return after[0] - before[0], after[1][len(before[1]) :]


def counted(service: HttpService, counter: str) -> float:
    head, brace, labels = counter.partition("{")
    return service.metrics().get(f"hearthwatch_ingest_{head}_total{brace}{labels}", 0)


def named_tests() -> Iterator[tuple[str, str]]:
    for file, test in NAMED.findall(PAGE):
        room = "tests" if file.startswith(("alerting/", "gateway/")) else "tests/ingest"
        yield f"{room}/{file}", test


def test_every_test_that_the_page_names_is_collected() -> None:
    named = set(named_tests())
    assert len(named) > 25
    assert PAGE.count("::test_") == len(NAMED.findall(PAGE)), "each is written as `file::test`"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *sorted({file for file, _ in named})],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    collected = {tuple(line.partition("[")[0].split("::")) for line in done.stdout.splitlines() if "::" in line}
    assert named - collected == set(), done.stdout[-2000:]


def test_every_row_of_the_table_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| **")]
    assert len(rows) >= len(list(fates(0))) - 1, "all but what comes on time"
    assert [row for row in rows if "::test_" not in row] == []


@pytest.mark.parametrize("reason", [*ROW_REJECTIONS, Rejection.STORE_ERROR])
def test_every_reason_of_a_reading_is_on_the_page(reason: Rejection) -> None:
    assert re.search(rf"""[`"]{reason.value}[`"]""", PAGE)
