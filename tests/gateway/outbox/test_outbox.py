"""The outbox file: what is accepted stays until it is stored, the account adds up, trouble is named."""

from pathlib import Path

import pytest

from gateway.outbox.book import BOOT_GAP, RECORDS_MAX
from gateway.outbox.outbox import Outbox, OutboxBusy, OutboxError, Undecoded, read_account
from gateway.outbox.rows import Record, RowRange, Source
from tests.gateway.outbox_rows import ALL, EPOCH_MS, counted, numbers, opened, readings, rows, stamped
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "outbox.sqlite"


def note(number: int) -> Undecoded:
    return Undecoded(wall_ms=number, device="AA", characteristic="2a5f", payload=bytes(600), error="too short")


def record(number: int, *, device: str = "AA") -> Record:
    return Record(
        device=device,
        payload=number.to_bytes(4, "little"),
        rows=(stamped(number, device=device, acquisition=Acquisition.STORED),),
    )


def test_rows_are_numbered_without_a_gap_and_come_back_as_they_went(path: Path) -> None:
    outbox = opened(path)
    assert outbox.accept(readings(3)) == RowRange(1, 4)
    assert outbox.accept([]) is None
    assert outbox.accept(readings(1, value=None)) == RowRange(4, 5)
    excerpt = outbox.read(ALL, limit=10)
    assert excerpt.outbox_id == outbox.outbox_id
    assert excerpt.sources == {
        1: Source(device="C0:00:00:00:00:01", acquisition=1, boot_id=0xFFFFFFFF, synchronised=True)
    }
    spo2 = SIGNALS[Signal.SPO2].code
    assert excerpt.rows == [
        (1, 1, EPOCH_MS, 0, spo2, 9700, Quality.QUESTIONABLE, Reason.POOR_SIGNAL, 1),
        (2, 1, EPOCH_MS + 1, 1, spo2, 9700, Quality.QUESTIONABLE, Reason.POOR_SIGNAL, 1),
        (3, 1, EPOCH_MS + 2, 2, spo2, 9700, Quality.QUESTIONABLE, Reason.POOR_SIGNAL, 1),
        (4, 1, EPOCH_MS, 0, spo2, None, Quality.QUESTIONABLE, Reason.POOR_SIGNAL, 1),
    ]
    outbox.close()


def test_a_row_keeps_both_clocks_and_whether_they_were_to_be_believed(path: Path) -> None:
    outbox = opened(path)
    outbox.accept([stamped(5, mono_ms=77, synchronised=False), stamped(6, mono_ms=78)])
    assert [row[2:4] for row in rows(outbox)] == [(EPOCH_MS + 5, 77), (EPOCH_MS + 6, 78)]
    assert [s.synchronised for s in outbox.read(ALL, limit=10).sources.values()] == [False, True]
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
    assert counted(path) == 3
    assert second.accept(readings(1)) == RowRange(6, 7)
    second.close()


@pytest.mark.parametrize("restarts", [False, True])
def test_row_numbers_are_never_used_again(path: Path, restarts: bool) -> None:
    outbox = opened(path)
    outbox.accept(readings(3))
    outbox.stored([RowRange(1, 4)])
    if restarts:
        outbox.close()
        outbox = opened(path)
    assert outbox.account().first_row is None
    assert outbox.account().end_row == 4
    assert outbox.accept(readings(1)) == RowRange(4, 5)
    outbox.close()


def test_a_new_boot_leaves_out_the_numbers_that_a_lying_disk_may_have_forgotten(path: Path) -> None:
    outbox = opened(path)
    assert outbox.accept([stamped(1, boot_id=7)]) == RowRange(1, 2)
    assert outbox.accept([stamped(2, boot_id=8)]) == RowRange(2 + BOOT_GAP, 3 + BOOT_GAP)
    outbox.close()
    outbox = opened(path)
    assert outbox.accept([stamped(3, boot_id=8)]) == RowRange(3 + BOOT_GAP, 4 + BOOT_GAP)
    account = outbox.account()
    assert (account.accepted, account.depth) == (3, 3)
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


def test_a_record_of_a_memory_is_accepted_once_however_often_it_is_fetched(path: Path) -> None:
    outbox = opened(path)
    assert outbox.accept([stamped(0)], [], [record(1), record(2)]) == RowRange(1, 4)
    assert outbox.accept([], [], [record(1), record(2), record(3)]) == RowRange(4, 5)
    outbox.stored([RowRange(1, 5)])
    outbox.close()
    outbox = opened(path)
    assert outbox.accept([], [], [record(3), record(3)]) is None
    assert outbox.accept([], [], [record(3, device="BB")]) == RowRange(5, 6)
    account = outbox.account()
    assert (account.accepted, account.repeated) == (5, 4)
    outbox.close()


def test_each_devices_newest_records_are_remembered_and_no_more(path: Path) -> None:
    outbox = opened(path)
    outbox.accept([], [], [record(1, device="BB")])
    outbox.accept([], [], [record(number) for number in range(RECORDS_MAX + 1)])
    assert outbox.accept([], [], [record(1, device="BB"), *(record(n) for n in range(1, RECORDS_MAX + 1))]) is None
    assert outbox.accept([], [], [record(0)]) is not None
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


def test_the_account_can_be_read_beside_a_running_gateway(path: Path) -> None:
    outbox = opened(path)
    outbox.accept(readings(7), [note(1)])
    outbox.stored([RowRange(1, 3)])
    account, undecoded = read_account(path)
    assert (account.accepted, account.stored, account.depth, len(undecoded)) == (7, 2, 5, 1)
    outbox.close()


def test_reading_a_missing_outbox_is_named(path: Path) -> None:
    with pytest.raises(OutboxError, match=r"outbox\.sqlite"):
        read_account(path)


def test_durability_is_switched_on_and_the_log_has_its_room(path: Path) -> None:
    outbox = opened(path)
    db = book(outbox)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA page_size").fetchone() == (1024,)
    log = path.with_name(path.name + "-wal")
    before = log.stat().st_size
    for number in range(0, 200_000, 2_000):
        outbox.accept(readings(2_000, first=number))
        outbox.stored([RowRange(number + 1, number + 2_001)])
    assert log.stat().st_size == before > 4_000_000
    outbox.close()


def test_the_outlook_says_for_how_many_hours_there_is_room(path: Path) -> None:
    now_s = 0.0
    outbox = opened(path, bytes_max=10_000_000, now_s=lambda: now_s)
    for minute in range(11):
        now_s = 60.0 * minute
        outbox.accept(readings(600, first=600 * minute))
    account = outbox.account()
    rows_left = (10_000_000 - account.used_bytes) / 32
    assert account.hours_left == pytest.approx(rows_left / 39_600, rel=0.01)
    outbox.close()
    beside, _ = read_account(path, bytes_max=10_000_000)
    assert beside.hours_left == account.hours_left


def book(outbox: Outbox):  # type: ignore[no-untyped-def]
    return outbox._book().db
