"""The JSON twin: what is written by hand is read, what is wrong is named by field, any bytes are survived."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.wire import DeviceEntry, Header, Row
from vitals.wire_json import JsonFault, JsonWireError, pack_json, unpack_json

DOCUMENT: dict[str, Any] = {
    "version": 1,
    "outbox_id": "0b4b2f0e-54c8-4f0e-9a3e-3d8f0f6a1c11",
    "first_row": 40,
    "boot_id": 7,
    "t0_ms": 1_700_000_000_000,
    "sent_ms": 1_700_000_000_900,
    "synchronised": True,
    "backlog": False,
    "devices": [
        {"device": "C0:00:00:00:00:01", "acquisition": "continuous"},
        {"device": "C0:00:00:00:00:05", "acquisition": "stored"},
    ],
    "offset_ms": [0, 0, 86_400_000],
    "device": [0, 0, 1],
    "signal": ["spo2", "pulse", "temperature"],
    "value": [92.6, None, 38],
    "quality": ["good", "invalid", "good"],
    "reason": ["none", "finger_out", "none"],
}


def payload(**changes: object) -> bytes:
    return json.dumps({**DOCUMENT, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in DOCUMENT.items() if key != name}).encode()


def test_columns_become_a_header_and_scaled_rows() -> None:
    message = unpack_json(payload())
    assert message.header == Header(
        outbox_id=UUID("0b4b2f0e-54c8-4f0e-9a3e-3d8f0f6a1c11"),
        first_row=40,
        boot_id=7,
        t0_ms=1_700_000_000_000,
        sent_ms=1_700_000_000_900,
        synchronised=True,
        backlog=False,
        offset_unit_ms=1,
        devices=(
            DeviceEntry(device="C0:00:00:00:00:01", acquisition=Acquisition.CONTINUOUS),
            DeviceEntry(device="C0:00:00:00:00:05", acquisition=Acquisition.STORED),
        ),
    )
    assert message.offset_ms == [0, 0, 86_400_000]
    assert message.device_index == [0, 0, 1]
    assert message.signal_code == [1, 2, 4]
    assert message.value == [9260, NO_VALUE, 3800]
    assert message.quality == [Quality.GOOD, Quality.INVALID, Quality.GOOD]
    assert message.reason == [Reason.NONE, Reason.FINGER_OUT, Reason.NONE]


def test_quality_and_reason_may_be_left_out() -> None:
    message = unpack_json(json.dumps({k: v for k, v in DOCUMENT.items() if k not in ("quality", "reason")}).encode())
    assert message.quality == [0, 0, 0]
    assert message.reason == [0, 0, 0]


def test_spo2_is_floored() -> None:
    assert unpack_json(payload(value=[92.999, None, 38])).value[0] == 9299


@pytest.mark.parametrize("value", [400, -400, 1e300, 10**400])
def test_a_value_that_does_not_fit_is_kept_as_none_and_implausible(value: float) -> None:
    message = unpack_json(payload(value=[value, None, 38]))
    assert (message.value[0], message.quality[0], message.reason[0]) == (NO_VALUE, Quality.INVALID, Reason.IMPLAUSIBLE)


@pytest.mark.parametrize(
    ("changes", "fault", "field"),
    [
        ({"patient": "p1"}, JsonFault.UNKNOWN_FIELD, "'patient'"),
        ({"version": 2}, JsonFault.UNKNOWN_VERSION, "version"),
        ({"version": "1"}, JsonFault.WRONG_TYPE, "version"),
        ({"outbox_id": "outbox"}, JsonFault.WRONG_TYPE, "outbox_id"),
        ({"first_row": -1}, JsonFault.OUT_OF_RANGE, "first_row"),
        ({"first_row": 1.0}, JsonFault.WRONG_TYPE, "first_row"),
        ({"first_row": 2**62 + 1}, JsonFault.OUT_OF_RANGE, "first_row"),
        ({"boot_id": 2**32}, JsonFault.OUT_OF_RANGE, "boot_id"),
        ({"t0_ms": True}, JsonFault.WRONG_TYPE, "t0_ms"),
        ({"synchronised": 1}, JsonFault.WRONG_TYPE, "synchronised"),
        ({"devices": []}, JsonFault.OUT_OF_RANGE, "devices"),
        ({"devices": {}}, JsonFault.WRONG_TYPE, "devices"),
        ({"devices": [{"device": "a"}]}, JsonFault.MISSING_FIELD, "devices[0].acquisition"),
        ({"devices": [{"device": "", "acquisition": "spot"}]}, JsonFault.OUT_OF_RANGE, "devices[0].device"),
        ({"devices": [{"device": "a\0", "acquisition": "spot"}]}, JsonFault.OUT_OF_RANGE, "devices[0].device"),
        ({"devices": [{"device": "\ud800", "acquisition": "spot"}]}, JsonFault.OUT_OF_RANGE, "devices[0].device"),
        ({"devices": [{"device": "a", "acquisition": "SPOT"}]}, JsonFault.UNKNOWN_NAME, "devices[0].acquisition"),
        ({"devices": [{"device": "a", "acquisition": "spot", "x": 1}]}, JsonFault.UNKNOWN_FIELD, "devices[0].'x'"),
        ({"offset_ms": []}, JsonFault.OUT_OF_RANGE, "offset_ms"),
        ({"offset_ms": [0, 0, -1]}, JsonFault.OUT_OF_RANGE, "offset_ms[2]"),
        ({"device": [0, 0]}, JsonFault.UNEQUAL_COLUMNS, "device"),
        ({"device": [0, 0, 2]}, JsonFault.OUT_OF_RANGE, "device[2]"),
        ({"signal": ["spo2", "pulse", "heat"]}, JsonFault.UNKNOWN_NAME, "signal[2]"),
        ({"signal": ["spo2", "pulse", 4]}, JsonFault.WRONG_TYPE, "signal[2]"),
        ({"value": [97.0, "70", 38]}, JsonFault.WRONG_TYPE, "value[1]"),
        ({"value": [97.0, True, 38]}, JsonFault.WRONG_TYPE, "value[1]"),
        ({"quality": ["good"]}, JsonFault.UNEQUAL_COLUMNS, "quality"),
        ({"quality": ["good", "bad", "good"]}, JsonFault.UNKNOWN_NAME, "quality[1]"),
        ({"reason": None}, JsonFault.WRONG_TYPE, "reason"),
    ],
)
def test_what_is_wrong_is_named_by_field(changes: dict[str, object], fault: JsonFault, field: str) -> None:
    with pytest.raises(JsonWireError) as caught:
        unpack_json(payload(**changes))
    assert (caught.value.fault, caught.value.field) == (fault, field)


@pytest.mark.parametrize("name", [name for name in DOCUMENT if name not in ("quality", "reason")])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(JsonWireError, match=name) as caught:
        unpack_json(without(name))
    assert caught.value.fault is JsonFault.MISSING_FIELD


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"HW",
        b"null",
        b"[1]",
        b"\xff\xfe{}",
        b'{"version":1,"version":1}',
        b"[" * 100_000,
        payload().replace(b"92.6", b"NaN"),
        payload().replace(b"92.6", b"1e999"),
        payload().replace(b"92.6", b"9" * 5000),
        payload()[:-1],
    ],
)
def test_what_is_no_such_json_is_refused(damaged: bytes) -> None:
    with pytest.raises(JsonWireError) as caught:
        unpack_json(damaged)
    assert caught.value.fault in (JsonFault.NOT_JSON, JsonFault.WRONG_TYPE)


def test_an_oversized_payload_is_refused_unread() -> None:
    with pytest.raises(JsonWireError) as caught:
        unpack_json(b" " * (2 * 1024 * 1024 + 1))
    assert caught.value.fault is JsonFault.OVERSIZED


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*DOCUMENT, "x"]), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*DOCUMENT, "x"]), _JSON, max_size=3))
def test_any_change_is_read_or_refused(changes: dict[str, object]) -> None:
    try:
        message = unpack_json(json.dumps({**DOCUMENT, **changes}).encode())
    except JsonWireError:
        return
    assert len(message.value) == len(message.offset_ms)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(JsonWireError):
        unpack_json(damaged)


def test_the_packed_format_s_header_and_rows_are_written_as_json() -> None:
    header = Header(
        outbox_id=UUID(int=5),
        first_row=3,
        boot_id=1,
        t0_ms=1_000,
        sent_ms=2_000,
        synchronised=False,
        backlog=True,
        offset_unit_ms=1000,
        devices=(DeviceEntry(device="a", acquisition=1),),
    )
    rows = [
        Row(offset=2, device_index=0, signal_code=1, value=9260, quality=0, reason=0),
        Row(offset=3, device_index=0, signal_code=10, value=NO_VALUE, quality=3, reason=9),
    ]
    written = json.loads(pack_json(header, rows))
    assert written["offset_ms"] == [2_000, 3_000]
    assert written["value"] == [92.6, None]
    assert written["signal"] == ["spo2", "rr_interval"]
    assert written["reason"] == ["none", "finger_out"]
    message = unpack_json(pack_json(header, rows))
    assert message.value == [9260, NO_VALUE]
    assert (message.header.backlog, message.header.synchronised, message.header.offset_unit_ms) == (True, False, 1)
