"""The outbox file: what is accepted stays until it is stored, the account adds up, trouble is named."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.outbox import SET_ASIDE_MAX, Outbox, OutboxBusy, OutboxError, Undecoded, read_account, set_aside_count
from gateway.placing import Stamped
from gateway.rows import ROW_END, RowRange
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal

ALL = RowRange(0, ROW_END)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
BIG = 64 * 1024 * 1024


def opened(path: Path, *, bytes_max: int = BIG, undecoded_max: int = 10) -> Outbox:
    return Outbox(path, bytes_max=bytes_max, undecoded_max=undecoded_max)


def readings(count: int, *, value: int | None = 9700) -> list[Stamped]:
    return [
        Stamped(
            reading=Reading(
                device="C0:00:00:00:00:01",
                signal=Signal.SPO2,
                measured_at=EPOCH + timedelta(milliseconds=number),
                value=value,
                quality=Quality.QUESTIONABLE,
                reason=Reason.POOR_SIGNAL,
                acquisition=Acquisition.SPOT,
            ),
            mono_ms=number,
            boot_id=0xFFFFFFFF,
            synchronised=True,
        )
        for number in range(count)
    ]


def note(number: int) -> Undecoded:
    return Undecoded(wall_ms=number, device="AA", characteristic="2a5f", payload=bytes(600), error="too short")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "outbox.sqlite"


def numbers(outbox: Outbox) -> list[int]:
    return [row.row_no for row in outbox.read(ALL, limit=1_000_000)]


def test_rows_are_numbered_without_a_gap_and_come_back_as_they_went(path: Path) -> None:
    outbox = opened(path)
    assert outbox.accept(readings(3)) == RowRange(1, 4)
    assert outbox.accept([]) is None
    assert outbox.accept(readings(1, value=None)) == RowRange(4, 5)
    rows = outbox.read(ALL, limit=10)
    assert [row.row_no for row in rows] == [1, 2, 3, 4]
    assert (rows[2].device, rows[2].signal, rows[2].acquisition) == ("C0:00:00:00:00:01", Signal.SPO2, Acquisition.SPOT)
    assert (rows[2].value, rows[2].quality, rows[2].reason) == (9700, Quality.QUESTIONABLE, Reason.POOR_SIGNAL)
    assert (rows[2].wall_ms, rows[2].mono_ms, rows[2].boot_id) == (round(EPOCH.timestamp() * 1000) + 2, 2, 0xFFFFFFFF)
    assert rows[2].synchronised
    assert rows[3].value is None
    outbox.close()


def test_the_id_the_rows_and_the_counters_outlive_the_process(path: Path) -> None:
    first = opened(path)
    first.accept(readings(5), [note(1)])
    first.stored([RowRange(1, 3)])
    before = first.account()
    first.close()
    second = opened(path)
    assert second.account() == before
    assert (before.accepted, before.stored, before.depth, before.undecoded) == (5, 2, 3, 1)
    assert second.accept(readings(1)) == RowRange(6, 7)
    second.close()


def test_row_numbers_are_never_used_again(path: Path) -> None:
    outbox = opened(path)
    outbox.accept(readings(3))
    outbox.stored([RowRange(1, 4)])
    assert outbox.account().first_row is None
    assert outbox.account().end_row == 4
    assert outbox.accept(readings(1)) == RowRange(4, 5)
    outbox.close()


def test_two_files_have_two_ids(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "a"), opened(tmp_path / "b")
    assert one.outbox_id != other.outbox_id
    one.close()
    other.close()


def test_stored_rows_are_counted_once_and_only_if_they_are_here(path: Path) -> None:
    outbox = opened(path)
    outbox.accept(readings(10))
    assert outbox.stored([RowRange(2, 4), RowRange(3, 6)]) == 4
    assert outbox.stored([RowRange(2, 6), RowRange(100, 200)]) == 0
    assert numbers(outbox) == [1, 6, 7, 8, 9, 10]
    assert outbox.account().stored == 4
    outbox.close()


def test_at_the_bound_the_oldest_are_thinned_counted_and_named_and_the_newest_stay(path: Path) -> None:
    outbox = opened(path, bytes_max=400_000)
    for _ in range(20):
        outbox.accept(readings(1000))
        assert outbox.account().used_bytes <= 400_000
    account = outbox.account()
    left = numbers(outbox)
    assert account.thinned > 0
    assert account.accepted == account.stored + account.thinned + account.depth == 20_000
    assert left == list(range(account.thinned + 1, 20_001))
    assert account.thinned_rows == (RowRange(1, account.thinned + 1),)
    outbox.close()


def test_thinning_names_exactly_the_thinned_rows_between_stored_ones(path: Path) -> None:
    outbox = opened(path, bytes_max=400_000)
    outbox.accept(readings(1000))
    outbox.stored([RowRange(100, 200)])
    while not outbox.account().thinned:
        outbox.accept(readings(1000))
    assert outbox.account().thinned_rows[:2] == (RowRange(1, 100), RowRange(200, 1101))
    outbox.close()


def test_a_batch_larger_than_the_bound_is_accepted_whole(path: Path) -> None:
    outbox = opened(path, bytes_max=256 * 1024)
    assert outbox.accept(readings(20_000)) == RowRange(1, 20_001)
    assert outbox.account().depth == 20_000
    outbox.close()


def test_undecodable_notifications_are_kept_bounded_and_all_counted(path: Path) -> None:
    outbox = opened(path, undecoded_max=10)
    for number in range(25):
        outbox.accept([], [note(number)])
    kept = outbox.undecoded(limit=100)
    assert [item.wall_ms for item in kept] == list(range(24, 14, -1))
    assert len(kept[0].payload) == 512
    assert outbox.account().undecoded == 25
    outbox.close()


def test_a_second_process_is_refused(path: Path) -> None:
    outbox = opened(path)
    with pytest.raises(OutboxBusy):
        opened(path)
    outbox.close()
    opened(path).close()


@pytest.mark.parametrize("damage", ["text", "header", "pages", "other"])
def test_an_unreadable_file_is_put_aside_and_a_new_outbox_begun(path: Path, damage: str) -> None:
    outbox = opened(path)
    outbox.accept(readings(3000))
    old_id = outbox.outbox_id
    outbox.close()
    damaged = bytearray(path.read_bytes())
    if damage == "text":
        damaged = bytearray(b"this is no database at all, but a note of 60 or so letters..")
    elif damage == "header":
        damaged[0:16] = bytes(16)
    elif damage == "pages":
        damaged[8192:20000] = b"\xa5" * (20000 - 8192)
    path.write_bytes(damaged)
    if damage == "other":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE something (else_ TEXT)")
    fresh = opened(path)
    assert fresh.set_aside is not None
    assert fresh.set_aside.exists()
    assert set_aside_count(path) == 1
    assert fresh.outbox_id != old_id
    assert fresh.accept(readings(1)) == RowRange(1, 2)
    fresh.close()


def test_files_put_aside_are_bounded(path: Path) -> None:
    for _ in range(SET_ASIDE_MAX + 3):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no database" * 20)
        opened(path).close()
    assert set_aside_count(path) == SET_ASIDE_MAX
    assert sorted(p.name for p in path.parent.glob("*.unreadable-*"))[-1].endswith(f"-{SET_ASIDE_MAX + 3}")


def test_the_account_can_be_read_beside_a_running_gateway(path: Path) -> None:
    outbox = opened(path)
    outbox.accept(readings(7), [note(1)])
    account, undecoded = read_account(path)
    assert (account.accepted, account.depth, len(undecoded)) == (7, 7, 1)
    outbox.close()


def test_reading_a_missing_outbox_is_named(path: Path) -> None:
    with pytest.raises(OutboxError, match=r"outbox\.sqlite"):
        read_account(path)


def test_durability_is_switched_on(path: Path) -> None:
    outbox = opened(path)
    assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    outbox.close()
