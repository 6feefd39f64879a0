"""The HTTP intake as a process before a real database: what is sent is stored once, and each row's fate is told."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.ingest.county import OXIMETER, UNBOUND, rows_of
from tests.ingest.http.server import HttpService, Phone, make_token
from tests.ingest.service import wait_until
from vitals.wire_json import PAYLOAD_BYTES_MAX

County = psycopg.Connection[Any]

TOWNS = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (2, 'north', '北', 'North', 'township_or_community', 1), (3, 'south', '南', 'South', 'township_or_community', 1);
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-north', 2), ('gw-south', 3);
UPDATE registry_version SET version = version + 1;
"""
REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'a secret of the database' USING ERRCODE = '{sqlstate}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION refuse();
"""
MENDED = "DROP TRIGGER IF EXISTS refuse ON sample; DROP FUNCTION IF EXISTS refuse()"
STORE_ERRORS = 'hearthwatch_ingest_rejected_total{reason="store_error"}'
SAMPLES = "SELECT count(*), count(DISTINCT measured_at), sum(spo2) FROM sample"


def dsn_of(connection: County) -> str:
    """Give the DSN of a connection's database, for a process of its own."""
    return connection.info.dsn


@pytest.fixture
def towns(county: County) -> County:
    """The county with two townships below it."""
    county.execute(MENDED)
    county.execute(TOWNS)
    return county


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], HttpService]]:
    """A process for each database, started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda dsn: stack.enter_context(HttpService(dsn, tmp_path_factory.mktemp("http"))))


@pytest.fixture
def service(towns: County, services: Callable[[str], HttpService]) -> HttpService:
    """The HTTP intake before the county's database."""
    return services(dsn_of(towns))


@pytest.fixture
def phone(towns: County, service: HttpService) -> Phone:
    return Phone(service, make_token(towns))


def test_readings_are_stored_and_told_in_the_same_transaction_as_from_mqtt(towns: County, phone: Phone) -> None:
    answer = phone.send(phone.readings(97.0, 96.5, None, quality=["good", "good", "invalid"], reason=["none"] * 3))
    assert answer.status == 200
    assert answer.fates == [("stored", None, [(0, 2)])]
    assert answer.body["outbox_id"] == str(phone.outbox_id)
    assert (answer.body["gateway"], answer.body["rows"], answer.body["stored"]) == ("gw-1", 3, 3)
    assert rows_of(towns, "SELECT patient_id, spo2 FROM sample ORDER BY measured_at") == [
        (1, 9700), (1, 9650), (1, None),
    ]  # fmt: skip
    assert rows_of(towns, "SELECT gateway_id, taken::text FROM outbox_account") == [("gw-1", "{[0,3)}")]
    assert rows_of(towns, "SELECT value, good_value FROM latest") == [(None, 9650)]
    assert rows_of(towns, "SELECT sum(octet_length(payload)) FROM intake_log") == [(3 * 24,)]


def test_the_same_request_again_stores_nothing_and_says_so(towns: County, phone: Phone) -> None:
    readings = phone.readings(97, 96)
    assert phone.send(readings).status == 200
    again = phone.send(readings)
    assert again.status == 409
    assert again.fates == [("duplicate", "row_taken_before", [(0, 1)])]
    assert (again.body["stored"], again.body["duplicates"]) == (0, 2)
    assert rows_of(towns, SAMPLES)[0][0] == 2


def test_rows_that_fare_differently_are_told_apart_by_range(towns: County, phone: Phone) -> None:
    phone.send(phone.readings(97, 96))
    document = phone.readings(
        97, 96, 95, 94, 93, 92, 91,
        first_row=0,
        devices=[{"device": name, "acquisition": "continuous"} for name in (OXIMETER, UNBOUND, "nobody's")],
        device=[0, 0, 0, 1, 2, 1, 0],
    )  # fmt: skip
    answer = phone.send(document)
    assert answer.status == 207
    assert answer.fates == [
        ("duplicate", "row_taken_before", [(0, 1)]),
        ("stored", None, [(2, 2), (6, 6)]),
        ("rejected", "unbound_device", [(3, 3), (5, 5)]),
        ("rejected", "unknown_device", [(4, 4)]),
    ]
    assert [each["device"] for each in answer.body["outcomes"]] == [None, None, UNBOUND, "nobody's"]
    assert answer.body["outcomes"][3]["detail"] == 'device "nobody\'s" is not in the registry'
    assert (answer.body["stored"], answer.body["duplicates"], answer.body["rejected"]) == (2, 2, 3)
    assert rows_of(towns, "SELECT reason, readings FROM rejected ORDER BY reason") == [
        ("unbound_device", 2), ("unknown_device", 1),
    ]  # fmt: skip
    assert phone.send(document).fates == [("duplicate", "row_taken_before", [(0, 6)])]


def test_another_value_at_a_place_taken_is_a_conflict_and_an_equal_one_a_duplicate(towns: County, phone: Phone) -> None:
    phone.send(phone.readings(97, 96))
    shifted = phone.readings(97, 90, first_row=2)
    shifted["offset_ms"] = [0, 1000]
    answer = phone.send(shifted)
    assert answer.status == 409
    assert answer.fates == [("duplicate", "equal_value_stored", [(2, 2)]), ("rejected", "conflict", [(3, 3)])]
    assert "9000" in answer.body["outcomes"][1]["detail"]
    assert rows_of(towns, "SELECT spo2 FROM sample ORDER BY measured_at") == [(9700,), (9600,)]
    assert rows_of(towns, "SELECT reason, first_row, last_row FROM rejected") == [("conflict", 3, 3)]


def test_numbers_that_can_not_be_are_counted_as_such(phone: Phone) -> None:
    answer = phone.send(phone.readings(97, 250))
    assert (answer.status, answer.body["stored"], answer.body["implausible"]) == (200, 2, 1)


def test_a_gzip_body_is_the_same_as_a_plain_one(towns: County, phone: Phone) -> None:
    phone.begin_ms -= 5_000_000
    assert phone.send(phone.readings(*([97] * 5000)), packed=True).status == 200
    assert rows_of(towns, SAMPLES)[0][:2] == (5000, 5000)


def test_a_bomb_is_refused_by_name_and_nothing_is_kept_of_it(towns: County, phone: Phone) -> None:
    bomb = gzip.compress(b" " * (200 * 1024 * 1024), compresslevel=9)
    assert len(bomb) < PAYLOAD_BYTES_MAX
    answer = phone.send(bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.name) == (413, "inflates_too_far")
    assert rows_of(towns, "SELECT count(*) FROM rejected") == [(0,)]


@pytest.mark.parametrize(
    ("change", "name", "field", "value"),
    [
        ({"signal": ["spo2", "spo3"]}, "unknown_name", "signal[1]", "'spo3'"),
        ({"value": [97, "96"]}, "wrong_type", "value[1]", "'96'"),
        ({"device": [0, 7]}, "out_of_range", "device[1]", "7"),
        ({"device": [0]}, "unequal_columns", "device", "1 entries"),
        ({"surname": "x"}, "unknown_field", "'surname'", "known are"),
        ({"version": 2}, "unknown_version", "version", "2"),
        ({"outbox_id": "mine"}, "wrong_type", "outbox_id", "'mine'"),
    ],
)
def test_a_document_at_fault_is_told_by_field_and_value_and_kept(
    towns: County, phone: Phone, change: dict[str, Any], name: str, field: str, value: str
) -> None:
    document = {**phone.readings(97, 96), **change}
    for _ in range(2):
        answer = phone.send(document)
        assert (answer.status, answer.name, answer.body["field"]) == (400, name, field)
        assert value in answer.body["detail"]
    assert rows_of(towns, "SELECT source, reason, times FROM rejected") == [("gw-1", name, 2)]
    assert rows_of(towns, "SELECT count(*) FROM outbox_account") == [(0,)]


def test_who_may_not_send_is_told_why_and_nothing_is_kept(towns: County, service: HttpService, phone: Phone) -> None:
    readings = phone.readings(97)
    token, north = phone.token, make_token(towns, "north")
    without = service.request("POST", "/v1/readings?gateway=gw-1", b"{}", {"Content-Type": "application/json"})
    assert (without.status, without.name, without.headers["WWW-Authenticate"][:6]) == (401, "token_missing", "Bearer")
    for wrong in (token[:-4] + "AAAA", "x", token.upper()):
        phone.token = wrong
        answer = phone.send(readings)
        assert (answer.status, answer.name) == (401, "token_unknown")
    phone.token = north
    for gateway_id in ("gw-1", "gw-south", "never-registered"):
        answer = phone.send(readings, gateway_id=gateway_id)
        assert (answer.status, answer.name) == (403, "gateway_not_allowed")
    towns.execute("UPDATE intake_token SET revoked_at = now() WHERE organisation_id = 2")
    answer = phone.send(readings, gateway_id="gw-north")
    assert (answer.status, answer.name) == (401, "token_revoked")
    assert rows_of(towns, "SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM rejected)") == [(0, 0)]
    log = service.log.read_text()
    assert "token_revoked" in log
    assert not any(secret in log for secret in (token, north, token[:-4]))


def test_a_token_speaks_for_its_organisation_and_those_below(towns: County, service: HttpService) -> None:
    above, north = make_token(towns, "county"), make_token(towns, "north")
    for token, gateway_id in ((above, "gw-south"), (north, "gw-north")):
        phone = Phone(service, token, gateway_id)
        assert phone.send(phone.readings(97)).status == 200
    assert rows_of(towns, "SELECT DISTINCT gateway_id FROM outbox_owner ORDER BY 1") == [("gw-north",), ("gw-south",)]
    assert rows_of(towns, "SELECT count(*) FROM intake_token WHERE last_used_at IS NOT NULL") == [(2,)]


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415, "content_type"),
        ({"Content-Encoding": "br"}, b"{}", 415, "content_encoding"),
        ({"Content-Encoding": "gzip, gzip"}, b"{}", 415, "content_encoding"),
        ({"Content-Encoding": "gzip"}, b"{}", 400, "bad_gzip"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}")[:-9], 400, "bad_gzip"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}") + b"more", 400, "bad_gzip"),
        ({}, b"{", 400, "not_json"),
        ({}, b" " * (PAYLOAD_BYTES_MAX + 1), 413, "body_too_large"),
    ],
)
def test_a_body_that_can_not_be_taken_is_refused_by_name(
    phone: Phone, headers: dict[str, str], body: bytes, status: int, name: str
) -> None:
    answer = phone.send(body, headers=headers)
    assert (answer.status, answer.name) == (status, name)


def test_a_body_without_a_length_is_bounded_too(service: HttpService, phone: Phone) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as raw:
        raw.sendall(
            b"POST /v1/readings?gateway=gw-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nAuthorization: Bearer " + phone.token.encode() + b"\r\n\r\n"
        )
        for _ in range(PAYLOAD_BYTES_MAX // 65536 + 1):
            raw.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert raw.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize("gateway_id", ["", "GW", "a/b", "%00", "a&gateway=b", "x" * 64])
def test_a_gateway_that_is_none_is_refused(phone: Phone, gateway_id: str) -> None:
    answer = phone.send(phone.readings(97), gateway_id=gateway_id)
    assert (answer.status, answer.name, answer.body["field"]) == (400, "bad_gateway_id", "gateway")


def test_what_is_not_there_is_told_as_a_problem_too(service: HttpService) -> None:
    assert (service.get("/").status, service.get("/").name) == (404, "not_found")
    answer = service.get("/v1/readings")
    assert (answer.status, answer.name, answer.headers["Allow"]) == (405, "method_not_allowed", "POST")


def test_a_message_that_the_database_refuses_is_put_aside_whole_and_others_go_on(
    towns: County, service: HttpService, phone: Phone
) -> None:
    towns.execute(REFUSING.format(sqlstate="22000").encode())
    before = service.metrics()[STORE_ERRORS]
    phone.send(phone.readings(97))
    document = phone.readings(97, 66.66, 95, first_row=0)
    body = json.dumps(document).encode() + b" " * 500_000
    answer = phone.send(body)
    assert answer.status == 207
    assert answer.fates == [("duplicate", "row_taken_before", [(0, 0)]), ("rejected", "store_error", [(1, 2)])]
    assert "secret" not in str(answer.body)
    [(reason, readings, payload)] = rows_of(towns, "SELECT reason, readings, payload FROM rejected")
    assert (reason, readings, bytes(payload)) == ("store_error", 2, body)
    assert phone.send(phone.readings(94, first_row=3)).status == 200
    assert service.metrics()[STORE_ERRORS] == before + 2
    towns.execute(MENDED)


def test_a_fault_of_the_database_is_told_as_such_and_nothing_is_put_aside(towns: County, tmp_path: Path) -> None:
    towns.execute(REFUSING.format(sqlstate="XX001").encode())
    with HttpService(dsn_of(towns), tmp_path, patience_s="0.5") as service:
        phone = Phone(service, make_token(towns))
        document = phone.readings(66.66)
        answer = phone.send(document)
        assert (answer.status, answer.name, answer.body["trouble"]) == (503, "database", "server_fault")
        assert int(answer.headers["Retry-After"]) == answer.body["retry_after_s"] > 0
        assert rows_of(towns, "SELECT (SELECT count(*) FROM rejected), (SELECT count(*) FROM outbox_account)") == [
            (0, 0)
        ]
        towns.execute(MENDED)
        assert phone.send(document).status == 200


def test_a_token_that_sends_too_often_is_slowed_and_others_are_not(towns: County, tmp_path: Path) -> None:
    with HttpService(dsn_of(towns), tmp_path, requests_per_s="0.01", requests_burst="2") as service:
        phone, other = Phone(service, make_token(towns)), Phone(service, make_token(towns, "north"), "gw-north")
        assert [phone.send(phone.readings(97)).status for _ in range(3)] == [200, 200, 429]
        answer = phone.send(phone.readings(97))
        assert (answer.name, 90 <= int(answer.headers["Retry-After"]) <= 100) == ("too_many_requests", True)
        other.begin_ms += 30_000
        assert other.send(other.readings(97)).status == 200


def test_more_requests_than_fit_are_sent_away_and_find_room_later(towns: County, tmp_path: Path) -> None:
    with HttpService(dsn_of(towns), tmp_path, requests_max="1", body_s="60") as service:
        phone = Phone(service, make_token(towns))
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as slow:
            slow.sendall(
                b"POST /v1/readings?gateway=gw-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 5\r\nExpect: 100-continue\r\nAuthorization: Bearer "
                + phone.token.encode()
                + b"\r\n\r\n"
            )
            assert slow.recv(12) == b"HTTP/1.1 100"  # it is inside, and its body is waited for
            answer = phone.send(phone.readings(97))
            assert (answer.status, answer.name, answer.headers["Retry-After"]) == (503, "busy", "5")
        wait_until(lambda: phone.send(phone.readings(97, first_row=0)).status in (200, 409), "the room is free again")
        assert rows_of(towns, SAMPLES)[0][0] == 1


def test_a_body_that_takes_too_long_is_given_up(towns: County, tmp_path: Path) -> None:
    with HttpService(dsn_of(towns), tmp_path, body_s="0.2") as service:
        token = make_token(towns)
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as slow:
            slow.sendall(
                b"POST /v1/readings?gateway=gw-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 5\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n{"
            )
            assert slow.recv(12) == b"HTTP/1.1 408"


def test_many_phones_at_once_lose_nothing_and_store_nothing_twice(towns: County, service: HttpService) -> None:
    token = make_token(towns)
    statuses: list[int] = []

    def send_twice(number: int) -> None:
        phone = Phone(service, token)
        phone.begin_ms -= 3_600_000 * number
        for _ in range(5):
            document = phone.readings(97, 96, 95)
            statuses.extend(phone.send(document).status for _ in range(2))

    threads = [threading.Thread(target=send_twice, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 30 + [409] * 30
    assert rows_of(towns, SAMPLES)[0][:2] == (90, 90)
