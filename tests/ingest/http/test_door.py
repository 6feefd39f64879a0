"""The door of the HTTP intake: who may send, what a body may be, how much and how often; and what refusal is told."""

import gzip
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.ingest.county import rows_of
from tests.ingest.http.conftest import County
from tests.ingest.http.server import HttpService, Phone, make_token
from tests.ingest.service import wait_until
from vitals.wire_json import PAYLOAD_BYTES_MAX

SAMPLES = "SELECT count(*) FROM sample"


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


def test_it_is_kept_which_token_spoke_for_which_gateway_and_of_those_refused_nothing(
    towns: County, service: HttpService
) -> None:
    above, north = Phone(service, make_token(towns, "county")), Phone(service, make_token(towns, "north"))
    said = "SELECT token_id - min(token_id) OVER (), gateway_id, first_at, last_at FROM http_sender ORDER BY 1, 2"
    for gateway_id in ("gw-south", "gw-north", "gw-south"):
        assert above.send(above.readings(97), gateway_id=gateway_id).status in (200, 207, 409)
    assert north.send(b"{", gateway_id="gw-north").status == 400
    assert north.send(north.readings(97), gateway_id="gw-south").status == 403
    before = rows_of(towns, said)
    assert [row[:2] for row in before] == [(0, "gw-north"), (0, "gw-south"), (1, "gw-north")]
    towns.execute(
        "UPDATE intake_token_use SET last_at = last_at - interval '61 s', first_at = first_at - interval '61 s'"
    )
    assert above.send(above.readings(96), gateway_id="gw-south").status == 200
    after = rows_of(towns, said)
    assert [last > first for _, _, first, last in after] == [False, True, False]
    assert [last >= was for (*_, last), (*_, was) in zip(after, before, strict=True)] == [False, True, False]


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415, "content_type"),
        ({"Content-Encoding": "br"}, b"{}", 415, "content_encoding"),
        ({"Content-Encoding": "gzip, gzip"}, b"{}", 415, "content_encoding"),
        ({"Content-Encoding": "gzip"}, b"{}", 400, "bad_gzip"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}", mtime=0)[:-9], 400, "bad_gzip"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}", mtime=0) + b"more", 400, "bad_gzip"),
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


def test_a_token_that_sends_too_often_is_slowed_and_others_are_not(towns: County, tmp_path: Path) -> None:
    with HttpService(towns.info.dsn, tmp_path, requests_per_s="0.01", requests_burst="2") as service:
        phone, other = Phone(service, make_token(towns)), Phone(service, make_token(towns, "north"), "gw-north")
        assert [phone.send(phone.readings(97)).status for _ in range(3)] == [200, 200, 429]
        answer = phone.send(phone.readings(97))
        assert (answer.name, 90 <= int(answer.headers["Retry-After"]) <= 100) == ("too_many_requests", True)
        other.begin_ms += 30_000
        assert other.send(other.readings(97)).status == 200


def test_more_requests_than_fit_are_sent_away_and_find_room_later(towns: County, tmp_path: Path) -> None:
    with HttpService(towns.info.dsn, tmp_path, requests_max="1", body_s="60") as service:
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
    with HttpService(towns.info.dsn, tmp_path, body_s="0.2") as service:
        token = make_token(towns)
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as slow:
            slow.sendall(
                b"POST /v1/readings?gateway=gw-1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 5\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n{"
            )
            assert slow.recv(12) == b"HTTP/1.1 408"


def test_the_description_is_complete(service: HttpService) -> None:
    description = service.get("/openapi.json").body
    assert description["openapi"].startswith("3.1")
    take = description["paths"]["/v1/readings"]["post"]
    assert set(take["responses"]) == {
        "200", "207", "400", "401", "403", "408", "409", "413", "415", "429", "503", "default",
    }  # fmt: skip
    assert take["security"] == [{"token": []}]
    assert description["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path in description["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]
            assert all(answer["description"] for answer in operation["responses"].values())
    for name, schema in description["components"]["schemas"].items():
        if name in ("Answer", "Outcome", "Problem", "RowRange"):
            assert all(field.get("description") for field in schema["properties"].values()), name
