"""Fuzz every decoder and every driver: `python -m tests.fuzz.decoders --runs 1000000 --seed 1`.

A target is a row of the table of decoders, fed one payload, or a driver, fed the notifications of one link through its
framing, each frame decoded and answered. Nothing but a DecodeError may come out, and what is decoded must keep the
promises that the rest of the gateway builds on. Each target has its share of the runs and a process of its own: a
corpus that grows for one would leave the others none. Ends with 0 and one line of JSON, or as libFuzzer does, with the
offending input as a file in --keep, where the corpora lie too.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import atheris

with atheris.instrument_imports(include=["gateway", "vitals"]):
    from gateway.drivers.driver import Driver
    from gateway.drivers.table import DRIVERS
    from gateway.gatt.decoded import Decoded, DecodeError
    from gateway.gatt.decoders import DECODERS, decode
    from gateway.gatt.write import Write
    from vitals.quality import Quality
    from vitals.reading import is_plausible

from tests.payloads import FULL, RECORDED

LENGTH_BYTES_MAX = 240
NOTIFICATION_BYTES_MAX = 0x3F
STRANGER = "ffff"
"""A characteristic that no driver has subscribed to."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the runs of one target."""

    runs: int = 0
    decoded: int = 0
    refused: int = 0
    measurements: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is fed, and what to begin with."""

    name: str
    feed: Callable[[bytes, Tally], None]
    starts: tuple[bytes, ...]


def main(arguments: list[str]) -> int:
    """Fuzz one target after the other, print what ran."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decoders", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=[target.name for target in all_targets()], help="one alone")
    parser.add_argument("--keep", type=Path, help="folder of corpora and of a crash; else one that goes if all is well")
    given = parser.parse_args(arguments)
    targets = [target for target in all_targets() if given.target in (None, target.name)]
    keep = given.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    share = -(-given.runs // len(targets))
    tallies: dict[str, dict[str, int]] = {}
    for target in targets:
        code, told = in_a_process(partial(fuzz, target, keep, share, given.seed))
        if code:
            print(f"{target.name}: ended with {code}; see {keep}", file=sys.stderr)  # noqa: T201
            return code
        tallies[target.name] = json.loads(told)
    if not given.keep:
        shutil.rmtree(keep)
    totals = {key: sum(tally[key] for tally in tallies.values()) for key in asdict(Tally())}
    targets_runs = {name: tally["runs"] for name, tally in tallies.items()}
    print(json.dumps({**totals, "seed": given.seed, "targets": targets_runs}))  # noqa: T201
    return 0


def in_a_process(run: Callable[[int], NoReturn]) -> tuple[int, str]:
    """Run what ends its process, as libFuzzer does, in one of its own; give its exit code and what it told."""
    reading, telling = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        run(telling)
    os.close(telling)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told


def fuzz(target: Target, keep: Path, runs: int, seed: int, told: int) -> NoReturn:
    """Fuzz one target; tells its tally at the last run, behind which libFuzzer ends the process."""
    tally = Tally()

    def one(data: bytes) -> None:
        target.feed(data, tally)
        tally.runs += 1
        if tally.runs == runs:
            os.write(told, json.dumps(asdict(tally)).encode())

    corpus = keep / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(target.starts):
        (corpus / f"start_{number:02}").write_bytes(start)
    limits = [f"-runs={runs}", f"-seed={seed}", f"-max_len={LENGTH_BYTES_MAX}"]
    atheris.Setup(
        [sys.argv[0], *limits, "-use_value_profile=1", f"-artifact_prefix={keep}/{target.name}-", str(corpus)], one
    )
    atheris.Fuzz()
    raise AssertionError("libFuzzer came back")


def all_targets() -> list[Target]:
    """Name what can be fuzzed: decoders by their UUID, drivers by their name."""
    return [*map(decoder_target, DECODERS), *map(driver_target, DRIVERS)]


def decoder_target(uuid: str) -> Target:
    """Fuzz one characteristic."""
    starts = (bytes.fromhex(FULL[uuid]),) if uuid in FULL else (b"text",)
    return Target(
        name=uuid, feed=lambda data, tally: judge(lambda: decode(uuid, data), len(data), tally), starts=starts
    )


def driver_target(driver: Driver) -> Target:
    """Fuzz one driver as a link does: framing made anew, then notification after notification."""
    uuids = (*driver.subscribe, *sorted(driver.advertised), STRANGER)

    def feed(data: bytes, tally: Tally) -> None:
        framing = driver.framing()
        for uuid, notification in notifications(data, uuids):
            for frame in framing.feed(uuid, notification):
                judge(lambda uuid=uuid, frame=frame: driver.decode(uuid, frame), len(frame), tally)
                answers = list(driver.answer(uuid, frame))
                assert all(isinstance(each, Write) and each.payload for each in answers), answers
                tally.answers += len(answers)

    return Target(name=driver.name, feed=feed, starts=tuple(starts_of(driver, uuids)))


def starts_of(driver: Driver, uuids: tuple[str, ...]) -> Iterator[bytes]:
    """Make links to begin with: one notification of each characteristic, and what was recorded, as one link."""
    for number, uuid in enumerate(uuids):
        payload = bytes.fromhex(FULL.get(uuid, "00" * 20))
        yield bytes((number, len(payload))) + payload
    recorded = map(bytes.fromhex, RECORDED.get(driver.name, ()))
    yield b"".join(bytes((0, len(notification))) + notification for notification in recorded)


def notifications(data: bytes, uuids: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Cut an input into notifications: a byte for the characteristic, one for the length, then as many bytes."""
    cut: list[tuple[str, bytes]] = []
    while data:
        head, data = data[:2], data[2:]
        length = head[1] & NOTIFICATION_BYTES_MAX if len(head) == 2 else 0
        cut.append((uuids[head[0] % len(uuids)], data[:length]))
        data = data[length:]
    return cut


def judge(decoded_by: Callable[[], Decoded], length_bytes: int, tally: Tally) -> None:
    """Decode, and hold the outcome against what every decoder promises."""
    try:
        decoded = decoded_by()
    except DecodeError as exc:
        if not 0 <= exc.offset <= length_bytes:
            raise AssertionError(f"of {length_bytes} bytes: {exc}") from exc
        tally.refused += 1
        return
    tally.decoded += 1
    tally.measurements += len(decoded.measurements)
    for m in decoded.measurements:
        assert m.value is None or is_plausible(m.signal, m.value), m
        assert (m.quality is Quality.GOOD) == (not m.reasons), m
        assert m.value is not None or m.quality is Quality.INVALID, m
        assert m.before_ms >= 0, m
    instants = [(m.signal, m.before_ms) for m in decoded.measurements]
    assert len(set(instants)) == len(instants), "two values of one signal at one instant"
    assert decoded.device_time is None or decoded.device_time.tzinfo is None, decoded.device_time
    assert all(isinstance(word, str) and word.isprintable() for word in decoded.status), decoded.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
