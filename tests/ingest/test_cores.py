"""Vectorised cores beside their plain meaning."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors

from ingest.account import count, literal, merged, missing, outside, parsed
from ingest.feed import FEED_DTYPE
from ingest.judging.bindings import NOBODY, Binding, Bindings
from ingest.judging.identity import Outcome, settle_batch
from ingest.ordering import order_by
from ingest.store.latest import newest_of
from ingest.store.trouble import ADVICE, Trouble, trouble_of

NUMBERS = st.lists(st.integers(0, 60), max_size=60)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def rows_in(ranges: list[tuple[int, int]]) -> set[int]:
    return {row for first, end in ranges for row in range(first, end)}


def ranges_of(numbers: list[int]) -> list[tuple[int, int]]:
    return merged((number, number + 1) for number in numbers)


@settings(deadline=None)
@given(NUMBERS)
def test_ranges_hold_exactly_their_rows(taken: list[int]) -> None:
    ranges = ranges_of(taken)
    assert rows_in(ranges) == set(taken)
    assert count(ranges) == len(set(taken))
    assert all(end < first for (_, end), (first, _) in pairwise(ranges))
    for is_told, begin in ((True, 0), (False, min(taken, default=0))):
        between = set(range(begin, max(taken, default=-1) + 1))
        assert rows_in(missing(ranges, is_told=is_told)) == between - set(taken)
    assert merged([*ranges, *ranges]) == ranges


@settings(deadline=None)
@given(NUMBERS, st.integers(0, 60), st.integers(1, 40))
def test_only_what_was_not_taken_is_fresh(taken: list[int], first: int, rows: int) -> None:
    fresh = outside((first, first + rows), ranges_of(taken))
    assert rows_in(fresh) == set(range(first, first + rows)) - set(taken)
    assert merged(fresh) == fresh


@settings(deadline=None)
@given(NUMBERS)
def test_ranges_are_read_as_they_are_written(taken: list[int]) -> None:
    assert parsed(literal(ranges_of(taken))) == ranges_of(taken)


COLUMNS = st.sampled_from([(0, 1), (0, 3), (-5, 300), (-(2**31), 2**31 - 1), (-(2**62), 2**62)])


@settings(deadline=None)
@given(st.data())
def test_rows_are_ordered_as_column_after_column_would(data: st.DataObject) -> None:
    count_ = data.draw(st.integers(0, 40))
    bounds = data.draw(st.lists(COLUMNS, min_size=1, max_size=4))
    columns = [
        np.array(data.draw(st.lists(st.integers(*bound), min_size=count_, max_size=count_)), np.int64)
        for bound in bounds
    ]
    assert order_by(*columns).tolist() == np.lexsort(columns[::-1]).tolist()


def test_ranges_are_written_as_postgresql_reads_them() -> None:
    assert literal([(0, 3), (5, 6)]) == "{[0,3),[5,6)}"


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 9), st.booleans()), max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 40)), min_size=1, max_size=20),
)
def test_a_device_belongs_to_whoever_wore_it(
    spans: list[tuple[int, int, int, bool]], asked: list[tuple[int, int]]
) -> None:
    lines: list[Binding] = []
    for patient, (device, begin, length, is_open) in enumerate(sorted(spans)):
        since = BEGIN + timedelta(minutes=begin)
        until = None if is_open else since + timedelta(minutes=length)
        clash = any(
            line.device_id == 7 * device
            and (line.valid_until is None or since < line.valid_until)
            and (until is None or (line.valid_from is None or line.valid_from < until))
            for line in lines
        )
        if not clash:
            lines.append(Binding(device_id=7 * device, patient_id=patient, valid_from=since, valid_until=until))
    bindings = Bindings.build(
        version=1, gateways=[], devices={str(device): 7 * device for device in range(3)}, bindings=lines
    )
    instants = [BEGIN + timedelta(minutes=minute) for _, minute in asked]
    found = bindings.wearer(
        np.array([7 * device for device, _ in asked]),
        np.array([int(at.timestamp() * 1000) for at in instants], np.int64),
    )
    for (device, _), at, patient in zip(asked, instants, found.tolist(), strict=True):
        worn = [
            line.patient_id
            for line in lines
            if line.device_id == 7 * device
            and (line.valid_from is None or line.valid_from <= at)
            and (line.valid_until is None or at < line.valid_until)
        ]
        assert [patient] == (worn or [NOBODY])


ROW = st.tuples(
    st.integers(0, 2), st.integers(0, 1), st.integers(0, 1), st.sampled_from([-32768, 1, 2]), st.integers(1, 2),
    st.sampled_from([0, 2]), st.just(0), st.just(0),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(ROW, max_size=30))
def test_each_place_takes_its_first_value(rows: list[tuple[int, ...]]) -> None:
    array = np.array(rows, FEED_DTYPE)
    settled = settle_batch(array)
    outcome, winners = settled.outcome, settled.winner
    places: dict[tuple[int, ...], list[int]] = {}
    for index, (at, patient, device, _, signal, *_rest) in enumerate(rows):
        places.setdefault((at, patient, device, signal), []).append(index)
    for indices in places.values():
        winner = next((i for i in indices if rows[i][3] != -32768), indices[0])
        for index in indices:
            equal = (rows[index][3], rows[index][5]) == (rows[winner][3], rows[winner][5])
            expected = Outcome.STORED if index == winner else Outcome.DUPLICATE if equal else Outcome.CONFLICT
            assert (outcome[index], winners[index]) == (expected, winner)


@settings(deadline=None)
@given(st.lists(ROW, max_size=30))
def test_the_newest_and_the_newest_good_of_each_key(rows: list[tuple[int, ...]]) -> None:
    newest = newest_of(np.array(rows, FEED_DTYPE))
    keys = sorted({(row[1], row[4], row[2]) for row in rows})
    assert newest.rows[["patient", "signal", "device"]].tolist() == keys
    for key, row, good, has_good in zip(keys, newest.rows, newest.good, newest.has_good, strict=True):
        mine = [other for other in rows if (other[1], other[4], other[2]) == key]
        assert row["measured_ms"] == max(other[0] for other in mine)
        good_times = [other[0] for other in mine if other[5] == 0]
        assert bool(has_good) == bool(good_times)
        assert not good_times or good["measured_ms"] == max(good_times)


@pytest.mark.parametrize(
    "error",
    [
        errors.NumericValueOutOfRange(), errors.UntranslatableCharacter(), errors.NotNullViolation(),
        errors.CheckViolation(), psycopg.DataError("text can not contain NUL"), ValueError(), OverflowError(),
        IndexError(),
    ],
)  # fmt: skip
def test_only_an_error_that_the_data_can_cause_is_held_against_the_data(error: Exception) -> None:
    assert trouble_of(error) is Trouble.POISON


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (errors.InternalError_(), Trouble.SERVER_FAULT),
        (errors.DataCorrupted(), Trouble.SERVER_FAULT),
        (errors.IndexCorrupted(), Trouble.SERVER_FAULT),
        (errors.IdleInTransactionSessionTimeout(), Trouble.SERVER_FAULT),
        (errors.InFailedSqlTransaction(), Trouble.SERVER_FAULT),
        (errors.ReadOnlySqlTransaction(), Trouble.READ_ONLY),
        (errors.ObjectNotInPrerequisiteState(), Trouble.SERVER_FAULT),
        (errors.ObjectInUse(), Trouble.SERVER_FAULT),
        (errors.LockNotAvailable(), Trouble.LOCKED),
        (errors.QueryCanceled(), Trouble.COLLISION),
        (errors.ProgramLimitExceeded(), Trouble.SERVER_FAULT),
        (errors.UndefinedObject(), Trouble.NO_SCHEMA),
        (errors.InvalidColumnReference(), Trouble.NO_SCHEMA),
        (errors.FeatureNotSupported(), Trouble.SERVER_FAULT),
        (errors.RaiseException(), Trouble.SERVER_FAULT),
        (psycopg.ProgrammingError("no such placeholder"), Trouble.PROGRAM_FAULT),
        (psycopg.OperationalError("connection lost"), Trouble.UNREACHABLE),
        (MemoryError(), Trouble.NO_MEMORY),
        (AttributeError(), Trouble.PROGRAM_FAULT),
        (AssertionError(), Trouble.PROGRAM_FAULT),
    ],
)
def test_every_other_error_is_waited_out_by_name(error: Exception, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble


def test_every_trouble_has_its_words() -> None:
    assert set(ADVICE) == set(Trouble)
