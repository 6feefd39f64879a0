"""The table of decoders, the battery, and the promise that no bytes break any of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gatt.battery import decode_level
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import DECODERS, PROFILES, decode, kind_of, short_uuid
from gateway.gatt.device_information import STRINGS
from gateway.gatt.kind import Kind
from tests.payloads import FULL
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


# What is cut short and means something all the same.
WHOLE_TOO = {
    "2a37": ("1f480032000004",),  # one interval of two
    "2a52": ("05000c",),  # a count of one byte
}
# Where a cut is told elsewhere than at its end: (characteristic, bytes left) -> byte.
TOLD_ELSEWHERE = {
    ("2a1c", 11): 3,  # an SFLOAT's length: the rest is read two bytes earlier, and its month is none
    ("2a1e", 11): 3,
}


def test_every_row_is_cut_below() -> None:
    assert set(FULL) | set(STRINGS) == set(DECODERS)


@pytest.mark.parametrize("uuid", FULL)
def test_a_payload_cut_anywhere_is_refused_at_the_byte_that_is_missing(uuid: str) -> None:
    raw = bytes.fromhex(FULL[uuid])
    assert isinstance(outcome_of(uuid, raw), Decoded)
    for length in range(len(raw)):
        outcome = outcome_of(uuid, raw[:length])
        if raw[:length].hex() in WHOLE_TOO.get(uuid, ()):
            assert isinstance(outcome, Decoded)
        else:
            assert isinstance(outcome, DecodeError), length
            assert outcome.offset == TOLD_ELSEWHERE.get((uuid, length), length)


@pytest.mark.parametrize("uuid", sorted(set(FULL) - {"2a37", "2a34"}))  # intervals without end; a flag for newer fields
def test_a_byte_too_many_is_refused_at_its_place(uuid: str) -> None:
    raw = bytes.fromhex(FULL[uuid])
    outcome = outcome_of(uuid, raw + b"\0")
    assert isinstance(outcome, DecodeError)
    assert outcome.offset == (2 if uuid == "2a52" else len(raw))  # a count of 3 bytes is none


@pytest.mark.parametrize(
    ("services", "kind"),
    [
        ({"1822"}, Kind.OXIMETER),
        ({"180a", "1809", "180f"}, Kind.THERMOMETER),
        ({"1810"}, Kind.CUFF),
        ({"1808"}, Kind.GLUCOSE_METER),
        ({"181d", "181b"}, Kind.SCALE),
        ({"180d"}, Kind.WEARABLE),
        ({"180d", "1822"}, Kind.OXIMETER),  # what it is first
        ({"180d", "1810"}, Kind.CUFF),
        ({"180d", "1809"}, Kind.THERMOMETER),
        ({"180f", "1805"}, None),
        (set(), None),
    ],
)
def test_the_kind_is_told_by_the_services(services: set[str], kind: Kind | None) -> None:
    assert kind_of(services) is kind


def test_every_kind_has_a_profile_and_every_subscription_a_decoder() -> None:
    assert {profile.kind for profile in PROFILES.values()} == set(Kind)
    for profile in PROFILES.values():
        assert set(profile.subscribe) <= set(DECODERS)
        assert profile.streams <= set(profile.subscribe)


@pytest.mark.parametrize("uuid", sorted(DECODERS))
@given(payload=st.one_of(st.binary(max_size=24), st.binary(max_size=600)))
def test_no_bytes_raise_anything_but_the_typed_error(uuid: str, payload: bytes) -> None:
    judge(uuid, payload)


@pytest.mark.parametrize("uuid", FULL)
@given(data=st.data())
def test_nor_do_bytes_that_are_nearly_right(uuid: str, data: st.DataObject) -> None:
    payload = bytearray(bytes.fromhex(FULL[uuid]))
    for at in data.draw(st.lists(st.integers(0, len(payload) - 1), max_size=4)):
        payload[at] = data.draw(st.integers(0, 255))
    judge(uuid, bytes(payload[: data.draw(st.integers(0, len(payload)))]))
    judge(uuid, bytes(payload) + data.draw(st.binary(max_size=4)))


@pytest.mark.parametrize(
    ("uuid", "payload"),
    [
        ("2a18", "030000" + "0f270c1f173b3b" + "fe7f" + "68b0" + "11"),  # an offset out of the calendar
        ("2a2b", "ffffff0000000000ffff"),
        ("2a1c", "020000000001000101000000"),
        ("2a5e", "01610048000f270c1f173b3b"),
    ],
)
def test_nor_do_clocks_at_the_edge_of_the_calendar(uuid: str, payload: str) -> None:
    judge(uuid, bytes.fromhex(payload))


def judge(uuid: str, payload: bytes) -> None:
    outcome = outcome_of(uuid, payload)
    if isinstance(outcome, DecodeError):
        assert outcome.characteristic == uuid
        assert 0 <= outcome.offset <= len(payload)
        return
    for m in outcome.measurements:
        assert m.value is None or is_plausible(m.signal, m.value)
        assert (m.quality is Quality.GOOD) == (not m.reasons)
        assert m.value is not None or m.quality is Quality.INVALID
    instants = [(m.signal, m.before_ms) for m in outcome.measurements]
    assert len(set(instants)) == len(instants)  # two values of one signal at one instant would contradict
    assert all(before_ms >= 0 for _, before_ms in instants)


@given(st.text(max_size=40), st.binary(max_size=30))
def test_no_uuid_raises_anything_but_the_typed_error(uuid: str, payload: bytes) -> None:
    outcome_of(uuid, payload)


def outcome_of(uuid: str, payload: bytes) -> Decoded | DecodeError:
    try:
        return decode(uuid, payload)
    except DecodeError as exc:
        return exc
