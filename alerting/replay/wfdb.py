"""Reads a WFDB record of one 16-bit signal file: the header's text and the file's bytes become lines of a table.

Form: PhysioNet, header(5) and signal(5). Only format 16 (little-endian two's complement, samples interleaved) and one
signal file are read, which is how PhysioNet keeps its numerics of once a minute or once a second.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

NO_SAMPLE = -32768


class WfdbError(ValueError):
    """A record can not be read; the message names the line of its header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WfdbSignal:
    """One signal: its number is (digit - zero) / gain."""

    name: str
    file: str
    gain: float
    zero: int
    checksum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WfdbHeader:
    """A record's header: samples a second, how many, of which signals."""

    per_second: float
    samples: int
    signals: Sequence[WfdbSignal]

    @property
    def file(self) -> str:
        """The one file that holds the samples, beside the header."""
        return self.signals[0].file


def parse_header(text: str) -> WfdbHeader:
    """Read the text of a .hea file. Raises WfdbError."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line and line[0] != "#"]
    try:
        _, count, rate, samples = lines[0][1].split()[:4]
        per_second, signals = float(rate.partition("/")[0]), int(count)
    except (IndexError, ValueError) as exc:
        raise WfdbError("line 1: no record line (name, signals, samples a second, samples)") from exc
    if not signals or len(lines) <= signals:
        raise WfdbError(f"line 1: {signals} signals, and {len(lines) - 1} lines that describe one")
    found = tuple(_signal(number, line) for number, line in lines[1 : signals + 1])
    if len({signal.file for signal in found}) > 1:
        raise WfdbError("its signals lie in several files; only records of one file are read")
    return WfdbHeader(per_second=per_second, samples=int(samples), signals=found)


def lines_of(header: WfdbHeader, payload: bytes) -> Iterator[str]:
    """Give the samples as a table: seconds, then a column a signal; empty where there is none."""
    digits = np.frombuffer(payload, "<i2")
    if len(digits) != header.samples * len(header.signals):
        raise WfdbError(
            f"{header.file}: {len(digits)} samples, where {header.samples * len(header.signals)} are announced"
        )
    table = digits.reshape(header.samples, len(header.signals)).astype(np.int64)
    for signal, column in zip(header.signals, table.T, strict=True):
        if (int(column.sum()) - signal.checksum) % 65536:
            raise WfdbError(f"{header.file}: the checksum of {signal.name} differs; the file is damaged")
    yield ",".join(["seconds", *(signal.name for signal in header.signals)])
    for number, row in enumerate(table.tolist()):
        cells = zip(header.signals, row, strict=True)
        numbers = ("" if digit == NO_SAMPLE else f"{(digit - s.zero) / s.gain:g}" for s, digit in cells)
        yield ",".join([f"{number / header.per_second:.3f}", *numbers])


def _signal(number: int, line: str) -> WfdbSignal:
    try:
        file, form, gain, _, zero, _, checksum, _, name = line.split(maxsplit=8)
        if form != "16":
            raise WfdbError(f"line {number}: format {form}; only 16 is read")
        return WfdbSignal(
            name=name.strip(), file=file, gain=float(gain.partition("/")[0]), zero=int(zero), checksum=int(checksum)
        )
    except ValueError as exc:
        if isinstance(exc, WfdbError):
            raise
        raise WfdbError(f"line {number}: {line!r} does not describe a signal") from exc
