"""The table of decoders, the battery, and the promise that no bytes break any of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.gatt.battery import decode_level
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import DECODERS, decode, short_uuid
from vitals.quality import Quality, Reason
from vitals.reading import is_plausible


@pytest.mark.parametrize(
    ("payload", "value", "quality", "reason"),
    [
        ("00", 0, Quality.GOOD, Reason.NONE),
        ("57", 8700, Quality.GOOD, Reason.NONE),
        ("64", 10000, Quality.GOOD, Reason.NONE),
        ("65", None, Quality.INVALID, Reason.IMPLAUSIBLE),
        ("ff", None, Quality.INVALID, Reason.IMPLAUSIBLE),
    ],
)
def test_a_battery_level(payload: str, value: int | None, quality: Quality, reason: Reason) -> None:
    (measurement,) = decode_level(bytes.fromhex(payload)).measurements
    assert (measurement.value, measurement.quality, measurement.reason) == (value, quality, reason)


@pytest.mark.parametrize(("payload", "offset"), [("", 0), ("5757", 1)])
def test_a_malformed_battery_level(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_level(bytes.fromhex(payload))
    assert caught.value.offset == offset


@pytest.mark.parametrize("uuid", ["2a5f", "2A5F", "0x2A5F", "00002a5f-0000-1000-8000-00805f9b34fb"])
def test_a_uuid_is_known_in_every_spelling(uuid: str) -> None:
    assert short_uuid(uuid) == "2a5f"


def test_an_unknown_characteristic_is_the_typed_error() -> None:
    with pytest.raises(DecodeError, match="ffe4 byte 0: no decoder"):
        decode("ffe4", b"\xfe\x0a\x55")


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=600))
@example("2a1c", bytes.fromhex("020000000001000101000000"))
@example("2a5e", bytes.fromhex("01610048000f270c1f173b3b"))
def test_no_bytes_raise_anything_but_the_typed_error(uuid: str, payload: bytes) -> None:
    outcome = outcome_of(uuid, payload)
    if isinstance(outcome, DecodeError):
        assert outcome.characteristic == uuid
        assert 0 <= outcome.offset <= len(payload)
        return
    for m in outcome.measurements:
        assert m.value is None or is_plausible(m.signal, m.value)
        assert (m.quality is Quality.GOOD) == (not m.reasons)
        assert m.value is not None or m.quality is Quality.INVALID


@given(st.text(max_size=40), st.binary(max_size=30))
def test_no_uuid_raises_anything_but_the_typed_error(uuid: str, payload: bytes) -> None:
    outcome_of(uuid, payload)


def outcome_of(uuid: str, payload: bytes) -> Decoded | DecodeError:
    try:
        return decode(uuid, payload)
    except DecodeError as exc:
        return exc
