"""Samples and newest words as binary COPY streams for the staging tables, and stored rows back as samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.copy_format import Column, copy_bytes, int2, int4, octets, timestamptz
from ingest.feed import ABSENT, SAMPLE_DTYPE, Rows
from ingest.latest import Newest
from vitals.reading import NO_VALUE
from vitals.signals import SIGNAL_COUNT


def samples_stream(samples: Rows, received_ms: NDArray[np.int64]) -> bytes:
    """Write the columns of the query copy_samples; the ordinal is the sample's place."""
    return copy_bytes(
        [
            int4(np.arange(len(samples))),
            timestamptz(samples["measured_ms"]),
            timestamptz(received_ms),
            int4(samples["patient"]),
            int4(samples["device"]),
            int2(samples["acquisition"]),
            *_values(samples),
        ]
    )


def fills_stream(samples: Rows) -> bytes:
    """Write the columns of the query copy_fills."""
    return copy_bytes(
        [timestamptz(samples["measured_ms"]), int4(samples["patient"]), int4(samples["device"]), *_values(samples)]
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


def _values(samples: Rows) -> list[Column]:
    """The thirteen signals (NULL: no value) and the quality octets (NULL: every value there is is good)."""
    value, word = samples["value"], samples["word"]
    all_good = ((word == ABSENT) | (word == 0)).all(axis=1)
    return [
        *(int2(value[:, column], value[:, column] == NO_VALUE) for column in range(SIGNAL_COUNT)),
        octets(word, all_good),
    ]
