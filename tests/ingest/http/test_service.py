"""The HTTP intake as a process before a real database: what is sent is stored once, and each row's fate is told."""

import json
import threading
from pathlib import Path

from tests.ingest.county import OXIMETER, UNBOUND, rows_of
from tests.ingest.http.conftest import MENDED, County
from tests.ingest.http.server import HttpService, Phone, make_token

REFUSING = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'a secret of the database' USING ERRCODE = '{sqlstate}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION refuse();
"""
STORE_ERRORS = 'hearthwatch_ingest_rejected_total{reason="store_error"}'
SAMPLES = "SELECT count(*), count(DISTINCT measured_at), sum(spo2) FROM sample"


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


def test_a_message_that_collides_without_end_is_put_aside_at_last(towns: County, phone: Phone) -> None:
    towns.execute(REFUSING.format(sqlstate="57014").encode())
    answer = phone.send(phone.readings(66.66))
    assert (answer.status, answer.fates) == (207, [("rejected", "store_error", [(0, 0)])])
    assert rows_of(towns, "SELECT reason, readings FROM rejected") == [("store_error", 1)]


def test_a_fault_of_the_database_is_told_as_such_and_nothing_is_put_aside(towns: County, tmp_path: Path) -> None:
    towns.execute(REFUSING.format(sqlstate="XX001").encode())
    with HttpService(towns.info.dsn, tmp_path, patience_s="0.5") as service:
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
