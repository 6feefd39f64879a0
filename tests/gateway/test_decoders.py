"""The table of decoders, the battery, and the promise that no bytes break any of them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.gatt.battery import decode_level
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import DECODERS, PROFILES, decode, kind_of, short_uuid
from gateway.gatt.device_information import STRINGS
from gateway.gatt.kind import Kind
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


TIME = "ea070b15160f1e"

# Each row's payload with every field it can announce, and the shorter ones that mean something too.
LONGEST: dict[str, tuple[str, tuple[str, ...]]] = {
    "2a5f": ("1f" + "61004800" * 3 + "8000" + "000000" + "0cf0", ()),
    "2a5e": ("0f" + "61004800" + TIME + "8000" + "000000" + "0cf0", ()),
    "2a60": ("0300" + "ffff" + "ffffff", ()),
    "2a1c": ("06" + "700100ff" + TIME + "06", ()),
    "2a1e": ("06" + "700100ff" + TIME + "06", ()),
    "2a35": ("1e" + "780050005d00" + TIME + "4800" + "01" + "0000", ()),
    "2a36": ("1e" + "780050005d00" + TIME + "4800" + "01" + "0000", ()),
    "2a18": ("1b" + "0400" + TIME + "0500" + "68b0" + "11" + "0000", ()),
    "2a34": ("ff" + "0000" + "00" + "036400" + "04" + "12" + "3c0032" + "04cdb0" + "59f1", ()),
    "2a9d": ("0e" + "c832" + TIME + "02" + "d400" + "db06", ()),
    "2a37": ("1f" + "4800" + "3200" + "0004" + "0004", ("1f4800" + "3200" + "0004",)),
    "2a52": ("05000c00", ("05000c",)),
    "2a19": ("57", ()),
    "2a2b": (TIME + "048002", ()),
    "2a08": (TIME, ()),
}


def test_every_row_is_cut_below() -> None:
    assert set(LONGEST) | set(STRINGS) == set(DECODERS)


@pytest.mark.parametrize("uuid", LONGEST)
def test_a_payload_cut_anywhere_is_refused_at_the_byte_that_is_missing(uuid: str) -> None:
    payload, whole_too = LONGEST[uuid]
    raw = bytes.fromhex(payload)
    assert isinstance(outcome_of(uuid, raw), Decoded)
    for length in range(len(raw)):
        outcome = outcome_of(uuid, raw[:length])
        if raw[:length].hex() in whole_too:
            assert isinstance(outcome, Decoded)
            continue
        assert isinstance(outcome, DecodeError), (uuid, length)
        # an SFLOAT's length: the rest is then read two bytes earlier, and its month is no month
        is_read_as_short = uuid in ("2a1c", "2a1e") and length == len(raw) - 2
        is_odd_count = uuid == "2a52" and length == 2
        assert outcome.offset == (3 if is_read_as_short else 2 if is_odd_count else length)


@pytest.mark.parametrize("uuid", sorted(set(LONGEST) - {"2a37", "2a34"}))
def test_a_byte_too_many_is_refused_at_its_place(uuid: str) -> None:
    raw = bytes.fromhex(LONGEST[uuid][0])
    outcome = outcome_of(uuid, raw + b"\0")
    assert isinstance(outcome, DecodeError)
    assert outcome.offset == (2 if uuid == "2a52" else len(raw))


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


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=600))
@example("2a18", bytes.fromhex("030000" + "0f270c1f173b3b" + "fe7f" + "68b0" + "11"))
@example("2a2b", bytes.fromhex("ffffff0000000000ffff"))
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
