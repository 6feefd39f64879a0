"""What a link hears: frames from pieces, echoes left out, fast talkers thinned."""

import re
from collections.abc import Sequence
from dataclasses import replace

from gateway.drivers import bthome
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.table import BLUETOOTH_SIG
from gateway.gatt.decoded import Decoded, DecodeError, Mode, measure
from gateway.session.hearing import Frame, Hearing, Overheard
from vitals.signals import Signal


class Pairs:
    """A made-up framing: two bytes are a frame, however they come."""

    def __init__(self) -> None:
        self._left = b""

    def feed(self, uuid: str, payload: bytes) -> Sequence[bytes]:  # noqa: ARG002
        self._left += payload
        frames = [self._left[at : at + 2] for at in range(0, len(self._left) - 1, 2)]
        self._left = self._left[2 * len(frames) :]
        return frames


def decode(uuid: str, frame: bytes) -> Decoded:
    """A made-up frame: the signal's letter, then the value; "w" is a wave without a number, all else an error."""
    signal = {"s": Signal.SPO2, "p": Signal.PULSE}.get(chr(frame[0]))
    if signal is None and frame[:1] != b"w":
        raise DecodeError(uuid, 0, "no frame")
    measured = () if signal is None else (measure(signal, float(frame[1])),)
    return Decoded(mode=Mode.CONTINUOUS, measurements=measured)


FAST = Driver(
    name="fast",
    product="A device that talks fast",
    kind=Kind.OXIMETER,
    recognition=Recognition(name=re.compile("fast")),
    decode=decode,
    subscribe=("fff1",),
    keep_every_ms=1000,
)
ECHO_S = 0.05


def taken(hearing: Hearing, *payloads: bytes, now_s: float = 0.0, every_s: float = 0.01) -> list[Frame]:
    return [
        frame
        for number, payload in enumerate(payloads)
        for frame in hearing.take("fff1", payload, now_s=now_s + number * every_s)
    ]


def kept(frames: list[Frame]) -> list[bytes]:
    return [frame.payload for frame in frames if frame.kept]


def test_a_payload_again_at_once_is_an_echo_and_later_a_value() -> None:
    hearing = Hearing(BLUETOOTH_SIG, echo_s=ECHO_S)
    assert len(taken(hearing, b"\x00", b"\x00", now_s=0.0, every_s=0.049)) == 1
    assert len(taken(hearing, b"\x00", now_s=0.049 + 0.05)) == 1
    assert hearing.echoes == 1


def test_an_echo_is_of_the_same_characteristic_and_the_same_bytes() -> None:
    hearing = Hearing(BLUETOOTH_SIG, echo_s=ECHO_S)
    assert hearing.take("2a5f", b"\x01", now_s=0.0)
    assert hearing.take("2a5e", b"\x01", now_s=0.0)
    assert hearing.take("2a5f", b"\x02", now_s=0.0)
    assert hearing.take("2a5f", b"\x01", now_s=0.0)
    assert hearing.echoes == 0


def test_where_the_stack_does_not_repeat_nothing_is_an_echo() -> None:
    hearing = Hearing(BLUETOOTH_SIG, echo_s=0.0)
    assert len(taken(hearing, b"\x00", b"\x00", every_s=0.0)) == 2


def test_pieces_become_frames() -> None:
    hearing = Hearing(replace(FAST, framing=Pairs, keep_every_ms=0), echo_s=ECHO_S)
    assert kept(taken(hearing, b"s", b"\x61w", b"\x00p\x48")) == [b"s\x61", b"w\x00", b"p\x48"]


def test_equal_pieces_of_a_fast_stream_are_no_echoes() -> None:
    hearing = Hearing(replace(FAST, framing=Pairs), echo_s=ECHO_S)
    assert kept(taken(hearing, b"s", b"s", b"p", b"\x48")) == [b"ss", b"p\x48"]


def test_one_frame_of_a_kind_is_kept_per_interval() -> None:
    hearing = Hearing(FAST, echo_s=ECHO_S)
    stream = [b"s" + bytes([60 + n % 2]) for n in range(250)]
    frames = taken(hearing, *stream)
    assert len(frames) == 250
    assert len(kept(frames)) == 3
    assert hearing.thinned == 247


def test_a_pulse_is_not_thinned_by_a_saturation_nor_by_a_wave() -> None:
    hearing = Hearing(FAST, echo_s=ECHO_S)
    assert kept(taken(hearing, b"w\x01", b"s\x61", b"w\x02", b"p\x48", b"s\x60")) == [b"s\x61", b"p\x48"]


def test_what_nobody_understands_is_kept_but_not_a_hundred_times_a_second() -> None:
    hearing = Hearing(FAST, echo_s=ECHO_S)
    assert kept(taken(hearing, *(b"?" + bytes([n]) for n in range(100)))) == [b"?\x00"]


def test_answers_are_due_to_every_frame_thinned_or_not() -> None:
    hearing = Hearing(FAST, echo_s=ECHO_S)
    assert [frame.payload for frame in taken(hearing, b"s\x61", b"s\x62")] == [b"s\x61", b"s\x62"]


def test_a_broadcast_that_stays_the_same_counts_once_in_its_interval_for_as_long_as_it_is_sent() -> None:
    overheard = Overheard(again_s=120.0)
    (uuid,) = bthome.DRIVER.advertised
    counted_s = [now_s for now_s in range(0, 600, 5) if overheard.take(bthome.DRIVER, {uuid: b"\x40"}, now_s=now_s)]
    assert counted_s == [0, 120, 240, 360, 480]


def test_a_broadcast_with_other_bytes_counts_at_once() -> None:
    overheard = Overheard(again_s=120.0)
    (uuid,) = bthome.DRIVER.advertised
    told = [overheard.take(bthome.DRIVER, {uuid: bytes([octet])}, now_s=0.0) for octet in (1, 1, 2, 1)]
    assert [len(frames) for frames in told] == [1, 0, 1, 1]
