"""What every driver of the table promises, whatever comes over the air."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers.driver import Driver
from gateway.drivers.framing import Stream
from gateway.drivers.table import DRIVER_BY_NAME, DRIVERS
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import short_uuid
from gateway.gatt.write import Write
from tests.gateway.drivers.outcomes import frames
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
WITHOUT_CHECKSUM = {"berrymed"}

each_driver = pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
each_stream = pytest.mark.parametrize("name", sorted(STREAMED))
few = settings(max_examples=40)  # of each driver
payloads = st.lists(st.one_of(st.binary(max_size=30), st.binary(max_size=600)), max_size=6)


@each_driver
def test_a_driver_with_a_stream_is_tried_here(driver: Driver) -> None:
    if isinstance(driver.framing(), Stream):
        assert driver.name in STREAMED, f"{driver.name} has a stream: add two of its frames to STREAMED in {__file__}"
    else:
        assert driver.name not in STREAMED, f"{driver.name} has no stream: set its framing, or mend STREAMED"


@each_driver
def test_uuids_stand_in_the_form_in_which_they_are_compared(driver: Driver) -> None:
    for uuid in uuids_of(driver):
        assert uuid == short_uuid(uuid), f"{driver.name}: {uuid} never matches; write {short_uuid(uuid)}"


@each_driver
@few
@given(payload=st.binary(max_size=80))
def test_no_bytes_raise_anything_but_the_typed_error(driver: Driver, payload: bytes) -> None:
    for uuid in (*driver.subscribe, *driver.advertised):
        judge(driver, uuid, payload)


@each_driver
@few
@given(notifications=payloads)
def test_no_notifications_break_a_link(driver: Driver, notifications: Sequence[bytes]) -> None:
    listen(driver, notifications)


@each_stream
@few
@given(data=st.data())
def test_notifications_that_are_nearly_right_break_no_link(name: str, data: st.DataObject) -> None:
    stream = bytearray(bytes.fromhex("".join(STREAMED[name])) * 2)
    for at in data.draw(st.lists(st.integers(0, len(stream) - 1), max_size=4)):
        stream[at] = data.draw(st.integers(0, 255))
    listen(DRIVER_BY_NAME[name], cut(bytes(stream), data))


@each_stream
@few
@given(data=st.data())
def test_however_a_stream_is_cut_the_frames_are_the_same(name: str, data: st.DataObject) -> None:
    sent = [bytes.fromhex(frame) for frame in data.draw(st.lists(st.sampled_from(STREAMED[name]), max_size=12))]
    assert frames(DRIVER_BY_NAME[name], cut(b"".join(sent), data)) == sent


@each_stream
@few
@given(data=st.data(), junk=st.binary(max_size=40))
def test_after_junk_the_frames_are_found_again(name: str, data: st.DataObject, junk: bytes) -> None:
    sent = [bytes.fromhex(frame) for frame in STREAMED[name]] * 12
    found = frames(DRIVER_BY_NAME[name], cut(junk + b"".join(sent), data))
    assert found[-len(STREAMED[name]) :] == sent[-len(STREAMED[name]) :]


@each_stream
def test_the_frames_of_a_stream_are_frames(name: str) -> None:
    driver = DRIVER_BY_NAME[name]
    for frame in STREAMED[name]:
        assert isinstance(judge(driver, driver.subscribe[0], bytes.fromhex(frame)), Decoded)


@pytest.mark.parametrize("name", sorted(set(STREAMED) - WITHOUT_CHECKSUM))
def test_a_wrong_checksum_is_told_beside_the_right_one(name: str) -> None:
    driver = DRIVER_BY_NAME[name]
    for octets in map(bytes.fromhex, STREAMED[name]):
        error = judge(driver, driver.subscribe[0], octets[:-1] + bytes((octets[-1] ^ 1,)))
        assert isinstance(error, DecodeError)
        assert error.message.endswith(f"should be {octets[-1]:#04x}")


def uuids_of(driver: Driver) -> Iterator[str]:
    yield from driver.recognition.services | driver.recognition.service_data | driver.streams | driver.advertised
    yield from driver.subscribe
    yield from (write.uuid for write in (*driver.begin, *driver.end, *(driver.poll.writes if driver.poll else ())))


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
                assert all(each.uuid == short_uuid(each.uuid) for each in answers)
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
