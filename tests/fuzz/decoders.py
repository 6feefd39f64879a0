"""Fuzz every decoder and every driver: `python -m tests.fuzz.decoders --runs 1000000 --seed 1`.

Each run takes one target: a row of the table of decoders, fed one payload, or a driver, fed the notifications of one
link through its framing, with each frame decoded and answered. Nothing but a DecodeError may come out, and what is
decoded must keep the promises that the rest of the gateway builds on. Ends with 0 and one line of JSON, or as
libFuzzer does, with the offending input as a file in --keep, where the corpus lies too.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway", "vitals"]):
    from gateway.driver import Driver, Write
    from gateway.drivers import BLUETOOTH_SIG, DRIVERS
    from gateway.gatt.decoded import Decoded, DecodeError
    from gateway.gatt.decoders import DECODERS, decode
    from vitals.quality import Quality
    from vitals.reading import is_plausible

from tests.payloads import FULL

LENGTH_BYTES_MAX = 600
NOTIFICATION_BYTES_MAX = 0x3F
STRANGER = "ffff"
"""A characteristic that no driver has subscribed to."""

Target = Callable[[bytes], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the runs."""

    runs: Counter[str] = field(default_factory=Counter)
    decoded: int = 0
    refused: int = 0
    measurements: int = 0
    answers: int = 0

    def document(self, seed: int) -> dict[str, object]:
        """Give it as JSON's values."""
        return {
            "runs": self.runs.total(),
            "seed": seed,
            "decoded": self.decoded,
            "refused": self.refused,
            "measurements": self.measurements,
            "answers": self.answers,
            "targets": dict(sorted(self.runs.items())),
        }


def main(arguments: list[str]) -> None:
    """Run, print, end the process: libFuzzer never returns."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.decoders", description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, help="folder of the corpus and of a crash; else one that goes when all is well"
    )
    parser.add_argument("crash", nargs="*", type=Path, help="kept inputs to run again, and nothing else")
    given = parser.parse_args(arguments)
    keep = given.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    tally = Tally()
    targets = all_targets(tally)
    names = list(targets)

    def one(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        targets[name](data[1:])
        tally.runs[name] += 1
        if tally.runs.total() == given.runs:  # the last: libFuzzer ends the process behind it
            print(json.dumps(tally.document(given.seed)), flush=True)  # noqa: T201
            if not given.keep:
                shutil.rmtree(keep)

    corpus = keep / "corpus"
    begin_with(corpus, targets)
    options = [f"-runs={given.runs}", f"-seed={given.seed}", f"-max_len={LENGTH_BYTES_MAX}", "-use_value_profile=1"]
    inputs = [str(path) for path in given.crash] or [str(corpus)]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={keep}/", *inputs], one)
    atheris.Fuzz()


def all_targets(tally: Tally) -> dict[str, Target]:
    """Name what can be fuzzed: decoders by their UUID, drivers by their name."""
    decoders = {uuid: decoder_target(uuid, tally) for uuid in DECODERS}
    return decoders | {driver.name: driver_target(driver, tally) for driver in DRIVERS}


def begin_with(folder: Path, targets: dict[str, Target]) -> None:
    """Write what to begin with: each target by nothing, each characteristic by all it can say, alone and on a link."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(targets):
        (folder / name).write_bytes(bytes((number,)) + bytes.fromhex(FULL.get(name, "00" * 20)))
    for uuid in BLUETOOTH_SIG.subscribe:
        payload = bytes.fromhex(FULL[uuid])
        notification = bytes((BLUETOOTH_SIG.subscribe.index(uuid), len(payload))) + payload
        (folder / f"link_{uuid}").write_bytes(bytes((list(targets).index(BLUETOOTH_SIG.name),)) + notification * 2)


def decoder_target(uuid: str, tally: Tally) -> Target:
    """Fuzz one characteristic."""
    return lambda data: judge(lambda: decode(uuid, data), len(data), tally)


def driver_target(driver: Driver, tally: Tally) -> Target:
    """Fuzz one driver as a link does: framing made anew, then notification after notification."""
    uuids = (*driver.subscribe, *sorted(driver.advertised), STRANGER)

    def run(data: bytes) -> None:
        framing = driver.framing()
        fed_bytes = framed_bytes = 0
        for uuid, notification in notifications(data, uuids):
            fed_bytes += len(notification)
            for frame in framing.feed(uuid, notification):
                framed_bytes += len(frame)
                judge(lambda uuid=uuid, frame=frame: driver.decode(uuid, frame), len(frame), tally)  # type: ignore[misc]
                answers = list(driver.answer(uuid, frame))
                assert all(isinstance(each, Write) and each.payload for each in answers), answers
                tally.answers += len(answers)
        assert framed_bytes <= 8 * fed_bytes, f"{framed_bytes} bytes of frames from {fed_bytes}"

    return run


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
    main(sys.argv[1:])
