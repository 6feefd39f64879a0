"""What every driver of the table promises, whatever comes over the air."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.driver import Driver, Write
from gateway.drivers import DRIVER_BY_NAME, DRIVERS
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.vendor.framing import Stream
from tests.gateway.vendor.outcomes import frames
from vitals.quality import Quality
from vitals.reading import is_plausible

# Frames of every driver that puts them together from a stream, all of them vectors of the files beside this one.
STREAMED: dict[str, tuple[str, ...]] = {
    "berrymed": ("8432054861", "8430044861", "c42e034961"),
    "yuwell": ("fe0856180004229c", "fe0a55004f6314bf391d", "fe0856160003239a"),
    "viatom": ("5500ff00000d00624200000000006100920a01002f", "5500ff00000d00ffffff0000000060000500000043"),
    "contec": ("eb01053e627f0010", "eb7f6a", "f070"),
    "beurer_po60": ("e9000f0b060d14250f0b060d143a0000166060606f6e6e4b", "e0050000000065"),
    "viatom_pc60fw": ("aa550f08016358005c00c067", "aa550f07026e5fcc3722ed", "aa55f0030303f6"),
    "masimo": ("7703fe02cc", "7711050000000000620048101400260200100e", "77110493240030003c0047004d00540060009c"),
}
names = st.sampled_from([driver.name for driver in DRIVERS])
payloads = st.lists(st.one_of(st.binary(max_size=30), st.binary(max_size=600)), max_size=6)


def test_every_driver_with_a_stream_is_tried_here() -> None:
    assert set(STREAMED) == {driver.name for driver in DRIVERS if isinstance(driver.framing(), Stream)}


@given(names, st.binary(max_size=80))
def test_no_bytes_raise_anything_but_the_typed_error(name: str, payload: bytes) -> None:
    driver = DRIVER_BY_NAME[name]
    for uuid in (*driver.subscribe, *driver.advertised):
        judge(driver, uuid, payload)


@given(names, payloads)
def test_no_notifications_break_a_link(name: str, notifications: Sequence[bytes]) -> None:
    listen(DRIVER_BY_NAME[name], notifications)


@given(st.data())
def test_notifications_that_are_nearly_right_break_no_link(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(STREAMED)))
    stream = bytearray(bytes.fromhex("".join(STREAMED[name])) * 2)
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=4)):
        stream[at] = data.draw(st.integers(0, 255))
    listen(DRIVER_BY_NAME[name], cut(bytes(stream), data))


@given(st.data())
def test_however_a_stream_is_cut_the_frames_are_the_same(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(STREAMED)))
    sent = [bytes.fromhex(frame) for frame in data.draw(st.lists(st.sampled_from(STREAMED[name]), max_size=12))]
    assert frames(DRIVER_BY_NAME[name], cut(b"".join(sent), data)) == sent


@given(st.data(), st.binary(max_size=40))
def test_after_junk_the_frames_are_found_again(data: st.DataObject, junk: bytes) -> None:
    name = data.draw(st.sampled_from(sorted(STREAMED)))
    sent = [bytes.fromhex(frame) for frame in STREAMED[name]] * 12
    found = frames(DRIVER_BY_NAME[name], cut(junk + b"".join(sent), data))
    assert found[-len(STREAMED[name]) :] == sent[-len(STREAMED[name]) :]


@pytest.mark.parametrize("name", sorted(STREAMED))
def test_the_frames_of_a_stream_are_frames(name: str) -> None:
    driver = DRIVER_BY_NAME[name]
    for frame in STREAMED[name]:
        assert isinstance(judge(driver, driver.subscribe[0], bytes.fromhex(frame)), Decoded)


@pytest.mark.parametrize("name", sorted(set(STREAMED) - {"berrymed"}))  # which has no checksum
def test_a_wrong_checksum_is_told_beside_the_right_one(name: str) -> None:
    driver = DRIVER_BY_NAME[name]
    for octets in map(bytes.fromhex, STREAMED[name]):
        error = judge(driver, driver.subscribe[0], octets[:-1] + bytes((octets[-1] ^ 1,)))
        assert isinstance(error, DecodeError)
        assert error.message.endswith(f"the frame's sum is {octets[-1]:#04x}")


def cut(stream: bytes, data: st.DataObject) -> list[bytes]:
    borders = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *borders], [*borders, len(stream)], strict=True)]


def listen(driver: Driver, notifications: Sequence[bytes]) -> None:
    framing = driver.framing()
    for uuid in (*driver.subscribe, *driver.advertised):
        for notification in notifications:
            given_bytes = 0
            for frame in framing.feed(uuid, notification):
                given_bytes += len(frame)
                judge(driver, uuid, frame)
                answers = driver.answer(uuid, frame)
                assert all(isinstance(each, Write) and each.payload for each in answers)
            if isinstance(framing, Stream):
                assert framing.kept_bytes < 100
            assert given_bytes < len(notification) + 100


def judge(driver: Driver, uuid: str, frame: bytes) -> Decoded | DecodeError:
    outcome = outcome_of(driver, uuid, frame)
    if isinstance(outcome, DecodeError):
        assert outcome.characteristic == uuid
        assert 0 <= outcome.offset <= len(frame)
        return outcome
    assert len({(m.signal, m.before_ms) for m in outcome.measurements}) == len(outcome.measurements)
    for m in outcome.measurements:
        assert m.value is None or is_plausible(m.signal, m.value)
        assert (m.quality is Quality.GOOD) == (not m.reasons)
        assert m.value is not None or m.quality is Quality.INVALID
    return outcome


def outcome_of(driver: Driver, uuid: str, frame: bytes) -> Decoded | DecodeError:
    try:
        return driver.decode(uuid, frame)
    except DecodeError as exc:
        return exc
