"""The engine's feed: 24-byte rows, partitions, and the pivot to wide samples."""

import numpy as np
import pytest

from ingest.feed import ABSENT, FEED_DTYPE, PLACE, FeedError, Rows, from_payload, payloads, pivot_index
from ingest.ordering import order_by
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE


def rows_of(*rows: tuple[int, int, int, int, int, int, int, int]) -> Rows:
    return np.array(list(rows), FEED_DTYPE)


def test_a_row_is_24_little_endian_bytes() -> None:
    rows = rows_of((1_700_000_000_123, 7, 9, 9700, 1, 2, 12, 1))
    assert FEED_DTYPE.itemsize == 24
    assert payloads(rows)[0][1].hex() == "7b68e5cf8b0100000700000009000000e42501020c010000"


def test_a_payload_comes_back_in_ascending_time() -> None:
    rows = rows_of((30, 1, 1, 5, 1, 0, 0, 0), (10, 1, 1, 6, 1, 0, 0, 0), (20, 33, 1, NO_VALUE, 2, 3, 9, 2))
    ((_, payload),) = payloads(rows)
    back = from_payload(payload)
    assert back["measured_ms"].tolist() == [10, 20, 30]
    assert back["value"].tolist() == [6, NO_VALUE, 5]


def test_a_torn_payload_is_refused() -> None:
    with pytest.raises(FeedError, match="25 bytes"):
        from_payload(b"\0" * 25)


def test_partitions_come_in_ascending_order_with_their_own_rows() -> None:
    rows = rows_of(*((i, patient, 1, 0, 1, 0, 0, 0) for i, patient in enumerate((63, 0, 31, 32, 5))))
    found = {partition: from_payload(payload)["patient"].tolist() for partition, payload in payloads(rows)}
    assert list(found) == [0, 5, 31]
    assert found == {0: [0, 32], 5: [5], 31: [63, 31]}


def test_the_pivot_gathers_what_one_device_said_at_one_instant() -> None:
    rows = rows_of(
        (2_000, 1, 4, 9100, 1, 0, 0, 0),
        (1_000, 1, 4, 9500, 1, Quality.QUESTIONABLE, Reason.POOR_SIGNAL, 0),
        (1_000, 1, 4, 7000, 2, 0, 0, 0),
        (1_000, 1, 5, 3700, 4, 0, 0, 1),
    )
    samples, sample_of_row = pivot_index(rows, order_by(*(rows[name] for name in PLACE)))
    assert sample_of_row.tolist() == [2, 0, 0, 1]
    assert samples[["patient", "measured_ms", "device", "acquisition"]].tolist() == [
        (1, 1_000, 4, 0),
        (1, 1_000, 5, 1),
        (1, 2_000, 4, 0),
    ]
    assert samples["value"][0].tolist() == [9500, 7000, *[NO_VALUE] * 11]
    assert samples["word"][0].tolist() == [2 * 64 + 11, 0, *[ABSENT] * 11]
    assert samples["value"][1].tolist() == [*[NO_VALUE] * 3, 3700, *[NO_VALUE] * 9]
    assert len(pivot_index(rows[:0], np.zeros(0, np.intp))[0]) == 0
