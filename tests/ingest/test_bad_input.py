"""Every bad input has a place to lie, its reason, and is counted; what is good beside it is stored."""

import json
import struct
import zlib
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.judging.decode import Refused, gather, read_json, read_packed
from ingest.judging.letters import read_letter
from ingest.judging.refusals import REFUSED_DTYPE, Refusal
from ingest.judging.rejection import EXPLANATION, Rejection
from ingest.store.registry import Registry
from ingest.store.storing import Batch, store
from tests.ingest.county import (
    LENT,
    LENT_AT,
    NOW,
    NOW_MS,
    OXIMETER,
    PULSE,
    SPO2,
    TEMPERATURE,
    THERMOMETER,
    UNBOUND,
    Home,
    put,
    refused,
    rows_of,
)
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.wire import Fault
from vitals.wire_json import JsonFault

County = psycopg.Connection[Any]
DAY_MS = 86_400_000


def good() -> bytes:
    """A message that is in order."""
    return Home().message([(0, SPO2, 9700), (1000, SPO2, 9600)])


def resigned(body: bytes, *, version: int = 1, flags: int = 1) -> bytes:
    """Sign a body anew, so that only the change itself is wrong."""
    head = struct.pack("<2sBB", b"HW", version, flags)
    return head + struct.pack("<I", zlib.crc32(head + body)) + body


def twin(**changes: object) -> bytes:
    """The JSON twin of a good message, changed."""
    document = {
        "version": 1,
        "outbox_id": str(Home().outbox_id),
        "first_row": 0,
        "boot_id": 7,
        "t0_ms": NOW_MS,
        "sent_ms": NOW_MS,
        "synchronised": True,
        "backlog": False,
        "devices": [{"device": OXIMETER, "acquisition": "continuous"}],
        "offset_ms": [0, 1000],
        "device": [0, 0],
        "signal": ["spo2", "spo2"],
        "value": [97, 96.5],
    }
    return json.dumps({**document, **changes}).encode()


UNREADABLE = [
    (b"XX" + good()[2:], Rejection.WRONG_MAGIC),
    (b"", Rejection.WRONG_MAGIC),
    (good()[:20], Rejection.TRUNCATED),
    (resigned(good()[8:-3]), Rejection.TRUNCATED),
    (resigned(good()[8:] + b"\0"), Rejection.TRAILING_BYTES),
    (good()[:-1] + bytes([good()[-1] ^ 1]), Rejection.BAD_CRC),
    (resigned(good()[8:], version=2), Rejection.UNKNOWN_VERSION),
    (resigned(good()[8:], flags=128), Rejection.UNKNOWN_FLAGS),
    (good() + bytes(256 * 1024), Rejection.OVERSIZED),
    (good().replace(OXIMETER.encode(), b"\xff" * 17), Rejection.BAD_CRC),
    (resigned(good()[8:].replace(OXIMETER.encode(), b"\xff" * 17)), Rejection.BAD_DEVICE_TABLE),
    (Home().message([(0, SPO2, 9700)], first_row=-1), Rejection.BAD_ROW_NUMBER),
    (Home().message([(0, SPO2, 9700)], first_row=2**63 - 1), Rejection.BAD_ROW_NUMBER),
    (twin(patient="p1"), Rejection.UNKNOWN_FIELD),
    (twin(t0_ms="now"), Rejection.WRONG_TYPE),
    (twin(value=[97]), Rejection.UNEQUAL_COLUMNS),
    (twin(signal=["spo2", "heat"]), Rejection.UNKNOWN_NAME),
    (twin(offset_ms=[0, -1]), Rejection.OUT_OF_RANGE),
    (b"{", Rejection.NOT_JSON),
]


@pytest.mark.parametrize(("payload", "reason"), UNREADABLE, ids=[reason for _, reason in UNREADABLE])
def test_an_unreadable_message_is_refused_by_name(payload: bytes, reason: Rejection) -> None:
    leaf = "readings/json" if payload.startswith(b"{") else "readings"
    letter = read_letter(f"hearthwatch/v1/gw-1/{leaf}", payload, received_ms=NOW_MS, retained=False)
    assert isinstance(letter, Refusal)
    assert (letter.source, letter.reason, letter.readings) == ("gw-1", reason, 0)
    assert letter.detail
    assert len(letter.payload) <= 256 * 1024


def test_unreadable_messages_lie_in_rejected_beside_good_ones_that_are_stored(county: County) -> None:
    stored = put(county, good(), *(payload for payload, _ in UNREADABLE), good())
    reasons = [reason for _, reason in UNREADABLE]
    assert refused(stored) == {reason: reasons.count(reason) for reason in set(reasons)}
    assert (stored.readings, stored.duplicates) == (2, 2)
    kept = rows_of(county, "SELECT reason, payload FROM rejected ORDER BY rejected_id")
    assert [reason for reason, _ in kept] == reasons
    assert kept[0][1] == UNREADABLE[0][0]


def test_an_unreadable_message_sent_again_is_counted_where_it_lies(county: County) -> None:
    message, other = b"XX" + good(), b"XX" + good()
    for minute in range(3):
        stored = put(county, message, message, other, received_ms=NOW_MS + minute * 60_000)
        assert refused(stored) == {Rejection.WRONG_MAGIC: 3}
    put(county, message, gateway_id="gw-2")
    put(county, message[:100] + b"{", message[:100] + b"{")
    assert rows_of(
        county, "SELECT source, payload, times, received_at, last_received_at FROM rejected ORDER BY rejected_id"
    ) == [
        ("gw-1", message, 6, NOW, NOW + timedelta(minutes=2)),
        ("gw-1", other, 3, NOW, NOW + timedelta(minutes=2)),
        ("gw-2", message, 1, NOW, NOW),
        ("gw-1", message[:100] + b"{", 2, NOW, NOW),
    ]


def test_an_unreadable_message_lies_in_rejected_anew_after_a_day(county: County) -> None:
    for hours in (0, 23, 24, 30):
        put(county, b"XX", received_ms=NOW_MS + hours * 3600_000)
    assert rows_of(county, "SELECT times, received_at, last_received_at FROM rejected ORDER BY rejected_id") == [
        (2, NOW, NOW + timedelta(hours=23)),
        (2, NOW + timedelta(hours=24), NOW + timedelta(hours=30)),
    ]


def test_the_same_payload_for_another_reason_lies_apart(county: County) -> None:
    refusals = [
        Refusal(received_ms=NOW_MS, source="gw-1", reason=reason, detail="?", readings=0, payload=b"?")
        for reason in (Rejection.WRONG_MAGIC, Rejection.BAD_TOPIC, Rejection.BAD_TOPIC)
    ]
    store(county, Batch(now_ms=NOW_MS, refusals=refusals), Registry(), retention_days=90)
    assert rows_of(county, "SELECT reason, times FROM rejected ORDER BY rejected_id") == [
        ("wrong_magic", 1),
        ("bad_topic", 2),
    ]


def test_refused_readings_lie_in_rejected_once_each(county: County) -> None:
    for home in (Home(), Home()):
        put(county, home.message([(0, SPO2, 8200)], devices=[UNBOUND]))
    assert rows_of(county, "SELECT times, last_received_at FROM rejected") == [(1, NOW), (1, NOW)]


@pytest.mark.parametrize(
    "topic", ["hearthwatch/v1/GW/readings", "hearthwatch/v1/gw-1/ack", "other", "hearthwatch/v1//readings"]
)
def test_a_bad_topic_is_refused(topic: str) -> None:
    letter = read_letter(topic, good(), received_ms=NOW_MS, retained=False)
    assert isinstance(letter, Refusal)
    assert letter.reason is Rejection.BAD_TOPIC


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"readings": [(0, 99, 1)]}, Rejection.UNKNOWN_SIGNAL),
        ({"readings": [(0, 0, 1)]}, Rejection.UNKNOWN_SIGNAL),
        ({"readings": [(0, SPO2, 9700, 4, 0)]}, Rejection.BAD_QUALITY),
        ({"readings": [(0, SPO2, 9700, 0, 64)]}, Rejection.BAD_QUALITY),
        ({"readings": [(0, SPO2, 9700)], "device": 1}, Rejection.BAD_DEVICE_INDEX),
        ({"readings": [(0, SPO2, 9700, Quality.INVALID, Reason.DEMO)]}, Rejection.SIMULATED),
        ({"readings": [(0, SPO2, 8200, Quality.GOOD, Reason.TESTING)]}, Rejection.SIMULATED),
        ({"readings": [(0, SPO2, 9700)], "devices": ["C0:00:00:00:00:77"]}, Rejection.UNKNOWN_DEVICE),
        ({"readings": [(0, SPO2, 8200)], "devices": [UNBOUND]}, Rejection.UNBOUND_DEVICE),
        ({"readings": [(0, SPO2, 9700)], "t0_ms": NOW_MS - 91 * DAY_MS}, Rejection.TOO_OLD),
        ({"readings": [(0, SPO2, 9700)], "t0_ms": -(2**63)}, Rejection.TOO_OLD),
        ({"readings": [(0, SPO2, 9700)], "acquisition": 2, "t0_ms": NOW_MS + 60_001}, Rejection.FUTURE),
        ({"readings": [(0, SPO2, 9700)], "acquisition": 2, "t0_ms": 2**63 - 1}, Rejection.FUTURE),
    ],
)
def test_a_reading_that_can_not_be_taken_is_put_aside_with_device_rows_and_value(
    county: County, message: dict[str, Any], reason: Rejection
) -> None:
    home = Home(next_row=5)
    stored = put(county, home.message(**message), home.message([(0, PULSE, 7000)]))
    assert (refused(stored), stored.readings) == ({reason: 1}, 1)
    [(kept, first, last, readings, device, detail, payload)] = rows_of(
        county, "SELECT reason, first_row, last_row, readings, device, detail, payload FROM rejected"
    )
    assert (kept, first, last, readings) == (reason, 5, 5, 1)
    assert device == (None if reason is Rejection.BAD_DEVICE_INDEX else (message.get("devices") or [OXIMETER])[0])
    assert detail
    [row] = np.frombuffer(payload, REFUSED_DTYPE)
    assert (row["row_no"], row["value"]) == (5, message["readings"][0][2])
    assert rows_of(county, "SELECT taken::text FROM outbox_account") == [("{[5,7)}",)]


@pytest.mark.parametrize("where", ["the gateway's own organisation", "one above it"])
def test_simulated_readings_are_taken_at_a_simulator_site(county: County, where: str) -> None:
    home, registry = Home(), Registry()
    demonstration = [(0, SPO2, 8200, int(Quality.GOOD), int(Reason.DEMO))]
    assert refused(put(county, home.message(demonstration), registry=registry)) == {Rejection.SIMULATED: 1}
    if where == "one above it":
        county.execute(
            "INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id)"
            " VALUES (2, 'school', '卫校', 'Nursing school', 'village_room', 1)"
        )
        county.execute("UPDATE gateway SET organisation_id = 2 WHERE gateway_id = 'gw-1'")
    county.execute("UPDATE organisation SET simulator = true WHERE organisation_id = 1")
    county.execute("UPDATE registry_version SET version = version + 1")
    stored = put(county, home.message(demonstration), registry=registry)
    assert (stored.readings, refused(stored)) == (1, {})


def test_an_unknown_gateway_s_readings_are_put_aside(county: County) -> None:
    stored = put(county, good(), gateway_id="gw-9")
    assert (stored.readings, refused(stored)) == (0, {Rejection.UNKNOWN_GATEWAY: 2})
    assert rows_of(county, "SELECT source, readings FROM rejected") == [("gw-9", 2)]


def test_what_is_refused_is_not_refused_twice(county: County) -> None:
    message = Home().message([(0, SPO2, 8200)], devices=[UNBOUND])
    put(county, message)
    stored = put(county, message, message)
    assert (stored.duplicates, refused(stored)) == (2, {})
    assert rows_of(county, "SELECT count(*) FROM rejected") == [(1,)]


def test_a_live_clock_ahead_takes_receipt_and_keeps_distances(county: County) -> None:
    ahead = NOW_MS + 3600_000
    stored = put(
        county, Home().message([(0, SPO2, 9700), (1000, SPO2, 9600, 2, 11)], t0_ms=ahead, sent_ms=ahead + 1500)
    )
    assert stored.clock_ahead == 2
    quality = bytes([Reason.CLOCK_AHEAD, *[255] * 12]), bytes([2 * 64 + 11, *[255] * 12])
    assert rows_of(county, "SELECT measured_at, quality FROM sample ORDER BY measured_at") == [
        (NOW - timedelta(seconds=1.5), quality[0]),
        (NOW - timedelta(seconds=0.5), quality[1]),
    ]


def test_a_live_reading_up_to_a_minute_ahead_is_taken_as_it_is(county: County) -> None:
    stored = put(county, Home().message([(0, SPO2, 9700)], t0_ms=NOW_MS + 60_000))
    assert stored.clock_ahead == 0
    assert rows_of(county, "SELECT measured_at FROM sample") == [(NOW + timedelta(seconds=60),)]


def test_a_live_reading_can_not_come_to_lie_after_receipt(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9700)], t0_ms=NOW_MS + 3600_000, sent_ms=NOW_MS))
    assert rows_of(county, "SELECT measured_at FROM sample") == [(NOW,)]


def test_an_unsynchronised_clock_is_mapped_to_receipt(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9700), (2000, SPO2, 9600)], t0_ms=5_000, sent_ms=8_000, synchronised=False))
    assert rows_of(county, "SELECT measured_at, quality FROM sample ORDER BY 1") == [
        (NOW - timedelta(seconds=3), None),
        (NOW - timedelta(seconds=1), None),
    ]


@pytest.mark.parametrize("gateway_behind_ms", [10 * DAY_MS, -10 * DAY_MS])
def test_a_record_from_memory_keeps_the_device_s_time_whatever_the_gateway_s_clock(
    county: County, gateway_behind_ms: int
) -> None:
    measured_ms = NOW_MS - 3600_000
    message = Home().message(
        [(0, TEMPERATURE, 3950)],
        devices=[THERMOMETER],
        acquisition=Acquisition.STORED,
        t0_ms=measured_ms,
        sent_ms=NOW_MS - gateway_behind_ms,
        synchronised=False,
    )
    stored = put(county, message)
    assert (stored.readings, refused(stored)) == (1, {})
    assert rows_of(county, "SELECT measured_at, temperature FROM sample") == [(NOW - timedelta(hours=1), 3950)]


def test_a_record_from_memory_of_the_future_is_refused_behind_an_unsynchronised_gateway_too(county: County) -> None:
    message = Home().message(
        [(0, TEMPERATURE, 3950)],
        devices=[THERMOMETER],
        acquisition=Acquisition.STORED,
        t0_ms=NOW_MS + 3600_000,
        sent_ms=NOW_MS + 3600_000,
        synchronised=False,
    )
    assert refused(put(county, message)) == {Rejection.FUTURE: 1}


@pytest.mark.parametrize(("synchronised", "acquisition"), [(False, Acquisition.CONTINUOUS), (True, Acquisition.STORED)])
def test_an_unverified_clock_and_another_wearer_by_now_is_ambiguous(
    county: County, synchronised: bool, acquisition: Acquisition
) -> None:
    before_ms = int(LENT_AT.timestamp() * 1000) - 60_000
    message = Home().message(
        [(0, SPO2, 9700)],
        devices=[LENT],
        t0_ms=before_ms,
        sent_ms=NOW_MS,
        synchronised=synchronised,
        acquisition=acquisition,
    )
    assert refused(put(county, message)) == {Rejection.AMBIGUOUS: 1}


def test_an_unverified_clock_and_the_same_wearer_is_taken(county: County) -> None:
    message = Home().message(
        [(0, TEMPERATURE, 3900)], devices=[THERMOMETER], t0_ms=NOW_MS - 3 * DAY_MS, acquisition=Acquisition.STORED
    )
    assert put(county, message).readings == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ((SPO2, 10_001), (None, Quality.INVALID, Reason.IMPLAUSIBLE)),
        ((SPO2, 99), (None, Quality.INVALID, Reason.IMPLAUSIBLE)),
        ((SPO2, 100), (100, Quality.GOOD, Reason.NONE)),
        ((SPO2, 10_000), (10_000, Quality.GOOD, Reason.NONE)),
        ((SPO2, NO_VALUE), (None, Quality.INVALID, Reason.UNAVAILABLE)),
        ((SPO2, NO_VALUE, 2, 9), (None, Quality.QUESTIONABLE, Reason.FINGER_OUT)),
        ((SPO2, 9000, 2, 40), (9000, Quality.QUESTIONABLE, Reason.UNKNOWN)),
        ((SPO2, 9000, 3, 63), (9000, Quality.INVALID, Reason.DEVICE_INVALID)),
    ],
)
def test_what_can_be_parsed_and_attributed_is_in_sample(
    county: County, sent: tuple[Any, ...], kept: tuple[Any, ...]
) -> None:
    assert put(county, Home().message([(0, *sent)])).readings == 1
    assert rows_of(county, "SELECT value, quality, reason FROM latest") == [kept]
    assert rows_of(county, "SELECT value * 100, quality, reason FROM reading") == [kept]


def test_json_and_packed_messages_in_one_batch_give_the_same(county: County) -> None:
    home = Home()
    stored = put(county, twin(), home.message([(5, SPO2, 9100)]), twin(t0_ms=NOW_MS + 7), good())
    assert (stored.readings, stored.duplicates, refused(stored)) == (5, 1, {Rejection.CONFLICT: 1})
    assert rows_of(county, "SELECT spo2 FROM sample ORDER BY measured_at") == [
        (9700,),
        (9100,),
        (9700,),
        (9650,),
        (9650,),
    ]


def test_every_reason_is_explained_in_both_languages() -> None:
    assert set(EXPLANATION) == set(Rejection)
    assert {fault.value for fault in (*Fault, *JsonFault)} <= {reason.value for reason in Rejection}
    for chinese, english in EXPLANATION.values():
        assert chinese.endswith("。")
        assert english.endswith(".")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_refused_or_read_and_never_raises(data: st.DataObject) -> None:
    payload = bytearray(data.draw(st.sampled_from([good(), twin()])))
    for _ in range(data.draw(st.integers(0, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    body = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    if body.startswith(b"HW") and len(body) > 8:
        body = resigned(body[8:])
    for read in (read_packed, read_json):
        try:
            decoded = read(body)
        except Refused:
            continue
        assert len(gather([decoded])) == decoded.row_count
