"""Samples and newest words as binary COPY streams, and stored rows back as samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.feed import ABSENT, SAMPLE_DTYPE, Rows
from ingest.store.copy_format import Column, copy_bytes, int2, int4, octets, timestamptz
from ingest.store.latest import Newest
from vitals.reading import NO_VALUE
from vitals.signals import SIGNAL_BY_CODE, SIGNAL_COUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A binary COPY stream and the names of its columns."""

    columns: tuple[str, ...]
    data: bytes


def samples_stream(samples: Rows, received_ms: NDArray[np.int64], *, numbered: bool = False) -> Stream:
    """Write samples for `sample`; `numbered`: for `staged_sample`, the ordinal being the sample's place."""
    columns = {
        "measured_at": timestamptz(samples["measured_ms"]),
        "received_at": timestamptz(received_ms),
        "patient_id": int4(samples["patient"]),
        "device_id": int4(samples["device"]),
        "acquisition": int2(samples["acquisition"]),
        **_values(samples),
    }
    if numbered:
        columns["ordinal"] = int4(np.arange(len(samples)))
    return _stream(columns)


def fills_stream(samples: Rows) -> Stream:
    """Write merged samples for `staged_fill`."""
    return _stream(
        {
            "measured_at": timestamptz(samples["measured_ms"]),
            "patient_id": int4(samples["patient"]),
            "device_id": int4(samples["device"]),
            **_values(samples),
        }
    )


def latest_stream(newest: Newest) -> bytes:
    """Write the columns of the query copy_latest."""
    rows, good, no_good = newest.rows, newest.good, ~newest.has_good
    return copy_bytes(
        [
            int4(rows["patient"]),
            int4(rows["device"]),
            int2(rows["signal"]),
            int2(rows["acquisition"]),
            int2(rows["value"], rows["value"] == NO_VALUE),
            int2(rows["quality"]),
            int2(rows["reason"]),
            timestamptz(rows["measured_ms"]),
            timestamptz(rows["received_ms"]),
            int2(good["value"], no_good),
            timestamptz(good["measured_ms"], no_good),
            timestamptz(good["received_ms"], no_good),
        ]
    )


def stored_samples(places: Rows, values: Sequence[Sequence[int | None]], qualities: Sequence[bytes | None]) -> Rows:
    """Give what lies in `sample` at these places, as samples."""
    stored = np.zeros(len(places), SAMPLE_DTYPE)
    for name in ("measured_ms", "patient", "device", "acquisition"):
        stored[name] = places[name]
    for index, (line, quality) in enumerate(zip(values, qualities, strict=True)):
        stored["value"][index] = [NO_VALUE if value is None else value for value in line]
        if quality is None:
            stored["word"][index] = [ABSENT if value is None else 0 for value in line]
        else:
            stored["word"][index] = np.frombuffer(quality, np.uint8)
    return stored


def _values(samples: Rows) -> dict[str, Column]:
    """Give the signals that have a value anywhere, and the quality octets if not every value there is is good."""
    value, word = samples["value"], samples["word"]
    telling = (word != ABSENT) & (word != 0)
    columns = {
        name: int2(value[:, place], value[:, place] == NO_VALUE)
        for place, name in enumerate(_SIGNAL_COLUMNS)
        if (value[:, place] != NO_VALUE).any()
    }
    if telling.any():
        columns["quality"] = octets(word, ~telling.any(axis=1))
    return columns


def _stream(columns: dict[str, Column]) -> Stream:
    return Stream(columns=tuple(columns), data=copy_bytes(list(columns.values())))


_SIGNAL_COLUMNS = tuple(str(SIGNAL_BY_CODE[code]) for code in range(1, SIGNAL_COUNT + 1))
