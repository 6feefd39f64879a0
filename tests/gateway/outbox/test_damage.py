"""A broken outbox file, at the start and while running: put aside, begun anew, and what can be read is moved over."""

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.outbox.book import BOOT_GAP
from gateway.outbox.disk import is_cut_short
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import SET_ASIDE_MAX, Outbox, OutboxFull, set_aside_count
from gateway.outbox.pair import OutboxPair
from gateway.outbox.rows import ROW_END, Row, RowRange, merged
from gateway.outbox.salvage import FAR, SALVAGE_ROWS, BrokenFile
from tests.gateway.outbox_rows import ALL, BIG, numbers, opened, readings, rows, stamped
from tests.gateway.waiting import eventually

COUNT = 30_000
LOG = "-wal"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: hundreds of files are broken here, and no power fails."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def path(memory: Path) -> Path:
    return memory / "outbox.sqlite"


def salvaged(outbox: Outbox) -> list[RowRange]:
    """Move everything over that can be read."""
    moved = []
    while outbox.is_salvaging:
        step = outbox.salvage()
        if step:
            moved.append(step)
    return merged(moved)


def content(row: Row) -> tuple[int | None, ...]:
    """Everything of a row but its source's key, which may be another in another file."""
    return (row[0], *row[2:])


def filled(path: Path, count: int = COUNT) -> list[Row]:
    outbox = opened(path)
    outbox.accept(readings(count))
    held = rows(outbox)
    outbox.close()
    return held


def garble(path: Path, first: int, size: int) -> None:
    handle = os.open(path, os.O_RDWR)
    os.pwrite(handle, random.Random(first).randbytes(size), first)
    os.close(handle)


def empty_log(outbox: Outbox) -> None:
    """Bring everything into the file itself."""
    outbox._book().db.execute("PRAGMA wal_checkpoint(RESTART)")


def test_a_broken_page_costs_its_own_rows_and_no_others(path: Path) -> None:
    before = filled(path)
    old = opened(path)
    old_id = old.outbox_id
    old.close()
    size = path.stat().st_size
    garble(path, size // 2048 * 1024, 2_048)
    outbox = opened(path)
    assert outbox.set_aside is not None
    assert outbox.set_aside.exists()
    assert outbox.outbox_id != old_id
    accepted = outbox.accept(readings(5))
    assert accepted == RowRange(COUNT + 1 + BOOT_GAP, COUNT + 6 + BOOT_GAP)
    salvaged(outbox)
    held = {row[0]: content(row) for row in rows(outbox)}
    lost = [row[0] for row in before if row[0] not in held]
    assert 0 < len(lost) <= 3 * 50
    assert all(held[row[0]] == content(row) for row in before if row[0] in held)
    assert {s.device for s in outbox.read(ALL, limit=1).sources.values()} == {"C0:00:00:00:00:01"}
    account = outbox.account()
    assert (account.salvaged, account.accepted) == (COUNT - len(lost), COUNT - len(lost) + 5)
    assert account.depth == len(held)
    outbox.close()


@pytest.mark.parametrize("damage", ["text", "header", "schema", "other", "older"])
def test_what_is_no_outbox_is_put_aside_and_a_new_one_begun(path: Path, damage: str) -> None:
    filled(path, 3_000)
    if damage == "text":
        path.write_bytes(b"this is no database at all, but a note of 60 or so letters..")
    elif damage == "header":
        garble(path, 0, 100)
    elif damage == "schema":
        garble(path, 100, 900)
    elif damage == "other":
        path.unlink()
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE something (else_ TEXT)")
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 1")
    fresh = opened(path)
    assert set_aside_count(path) == 1
    assert fresh.accept(readings(1)) == RowRange(FAR, FAR + 1)
    assert salvaged(fresh) == []
    account = fresh.account()
    assert (account.accepted, account.depth) == (1, 1)
    fresh.close()


@pytest.mark.parametrize("root", ["reading", "counter", "source", "evidence"])
def test_any_table_may_be_the_broken_one(path: Path, root: str) -> None:
    before = filled(path, 20_000)
    with closing(sqlite3.connect(path)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (root,)).fetchone()[0]
    garble(path, (page - 1) * 1024, 1_024)
    outbox = opened(path)
    salvaged(outbox)
    outbox.accept(readings(1))
    left = [content(row) for row in rows(outbox)]
    assert set_aside_count(path) == 1
    if root == "reading":
        assert len(left) == 1
    else:
        assert left[:-1] == [content(row) for row in before]
    outbox.close()


@pytest.mark.parametrize("work", ["read", "accept", "stored", "account"])
def test_a_file_that_breaks_while_running_is_replaced_under_way(path: Path, work: str) -> None:
    outbox = opened(path)
    outbox.accept(readings(COUNT))
    empty_log(outbox)
    old_id = outbox.outbox_id
    garble(path, 1_024, path.stat().st_size - 1_024)
    outbox._book().db.execute("PRAGMA shrink_memory")  # pages held in memory do not show the damage
    if work == "read":
        assert outbox.read(RowRange(5_000, 5_010), limit=10).rows == []
    elif work == "stored":
        assert outbox.stored([RowRange(10_000, 20_000)]) == 0
    elif work == "account":
        assert outbox.account().outbox_id != old_id
    assert outbox.accept(readings(2)) is not None
    assert outbox.outbox_id != old_id
    salvaged(outbox)
    assert len(numbers(outbox)) >= 2
    assert set_aside_count(path) == 1
    outbox.close()


def test_a_row_that_is_not_what_was_accepted_is_never_given_out(path: Path) -> None:
    before = filled(path, 1_000)
    raw = path.read_bytes()
    value = (9_700).to_bytes(2, "big")
    places = [at for at in range(len(raw)) if raw.startswith(value, at)]
    garble_at = places[len(places) // 2]
    handle = os.open(path, os.O_RDWR)
    os.pwrite(handle, (8_000).to_bytes(2, "big"), garble_at)
    os.close(handle)
    outbox = opened(path)
    assert outbox.set_aside is None  # SQLite itself sees nothing
    given = rows(outbox)
    assert outbox.set_aside is not None
    assert given == []
    salvaged(outbox)
    held = [content(row) for row in rows(outbox)]
    assert len(held) == 999
    assert set(held) < {content(row) for row in before}
    outbox.close()


def test_a_log_that_breaks_off_in_the_middle_is_noticed(path: Path) -> None:
    outbox = opened(path)
    for number in range(50):
        outbox.accept(readings(10, first=10 * number))
    held = rows(outbox)
    copy = snapshot(path, path.with_name("copy.sqlite"))
    outbox.close()
    garble(copy.with_name(copy.name + LOG), 32 + 50 * 1_048 + 500, 8)
    broken = opened(copy)
    assert broken.set_aside is not None
    salvaged(broken)
    left = [content(row) for row in rows(broken)]
    assert 0 < len(left) < 500
    assert left == [content(row) for row in held[: len(left)]]
    assert broken.accept(readings(1)) is not None
    broken.close()


def test_a_commit_that_was_under_way_when_the_gateway_was_killed_is_no_damage(path: Path) -> None:
    outbox = opened(path)
    for number in range(20):
        outbox.accept(readings(3, first=3 * number))
    log = path.with_name(path.name + LOG)
    sizes = range(outbox._book().db.execute("PRAGMA wal_checkpoint").fetchone()[1] + 1)
    assert len(sizes) > 40
    assert not any(is_cut_short(log, believed) for believed in sizes)
    garble(log, 32 + 30 * 1_048 + 600, 8)
    assert [is_cut_short(log, believed) for believed in sizes] == [believed <= 30 for believed in sizes]
    outbox.close()


def snapshot(path: Path, copy: Path) -> Path:
    """Copy an open outbox as a power cut would leave it."""
    for suffix in ("", LOG):
        shutil.copyfile(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    return copy


def cut(file: Path, at: int) -> None:
    os.truncate(file, at)


def zeros(file: Path, at: int) -> None:
    with file.open("r+b") as handle:
        handle.seek(at)
        handle.write(bytes(4_096))


def noise(file: Path, at: int) -> None:
    garble(file, at, 700)


def bit(file: Path, at: int) -> None:
    with file.open("r+b") as handle:
        handle.seek(at)
        byte = handle.read(1)
        handle.seek(at)
        handle.write(bytes([byte[0] ^ 0x10]))


@pytest.mark.parametrize("damage", [cut, zeros, noise, bit])
@pytest.mark.parametrize("suffix", ["", LOG])
def test_whatever_is_done_to_the_file_what_is_given_out_is_what_was_accepted(
    path: Path, suffix: str, damage: Callable[[Path, int], None]
) -> None:
    outbox = opened(path, floor=Floor(spo2_below=9000, temperature_from=3900))
    for number in range(40):
        outbox.accept([stamped(10 * number + n, 8_800 + n, device=f"D{n % 3}") for n in range(10)])
        outbox.stored([RowRange(10 * number + 1, 10 * number + 4)])
    empty_log(outbox)
    for number in range(40, 80):
        outbox.accept([stamped(10 * number + n, 8_800 + n, device=f"D{n % 3}") for n in range(10)])
    accepted = {row[0]: content(row) for row in rows(outbox)}
    size = path.stat().st_size if suffix == "" else 32 + 100 * 1_048
    for number, at in zip(count(), range(0, size, size // 40), strict=False):
        copy = snapshot(path, path.with_name(f"copy-{number}.sqlite"))
        damage(copy.with_name(copy.name + suffix), at)
        for life in range(2):
            found = opened(copy)
            salvaged(found)
            given = [content(row) for row in rows(found) if row[0] in accepted]
            assert all(row == accepted[int(row[0] or 0)] for row in given), (at, life)
            new = found.accept([stamped(5, 9_100 + life)])
            assert new is not None
            assert new.first > max(accepted) or found.set_aside is None
            found.stored([new])
            account = found.account()
            assert account.accepted == account.stored + account.thinned + account.depth
            assert account.depth == len(numbers(found))
            found.close()
        assert set_aside_count(copy) <= 2
    outbox.close()


def test_moving_over_goes_on_after_a_restart_and_takes_every_row_once(path: Path) -> None:
    before = filled(path)
    garble(path, path.stat().st_size - 1_024, 1_024)
    outbox = opened(path)
    outbox.salvage()
    outbox.salvage()
    outbox.stored([RowRange(10, 20)])
    outbox.close()
    outbox = opened(path)
    assert outbox.set_aside is None
    assert outbox.is_salvaging
    salvaged(outbox)
    held = numbers(outbox)
    assert held == sorted(set(held))
    assert set(range(1, COUNT - 100)) - set(held) == set(range(10, 20))
    assert {content(row) for row in rows(outbox)} <= {content(row) for row in before}
    account = outbox.account()
    assert account.accepted == account.stored + account.depth
    assert account.depth == len(held)
    outbox.close()


def test_a_file_that_breaks_while_it_takes_over_hands_its_task_on(path: Path) -> None:
    filled(path)
    garble(path, path.stat().st_size // 2048 * 1024, 1_024)
    outbox = opened(path)
    outbox.salvage()
    outbox.close()
    garble(path, path.stat().st_size - 1_024, 1_024)
    outbox = opened(path)
    assert outbox.set_aside is not None
    salvaged(outbox)
    assert len(numbers(outbox)) > COUNT - SALVAGE_ROWS - 200
    assert set_aside_count(path) == 2
    outbox.close()


@contextmanager
def held_fast(path: Path) -> Iterator[None]:
    """Mount a file upon itself: it can be read and written, and not be renamed, as on a card that dies; or skip."""
    done = subprocess.run(["mount", "--bind", str(path), str(path)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_broken_file_that_can_not_be_put_aside_at_the_start_is_a_refusal(path: Path) -> None:
    filled(path, 3_000)
    garble(path, path.stat().st_size - 1_024, 1_024)
    with held_fast(path):
        with pytest.raises(OutboxFull, match="put aside"):
            opened(path)
        pair = OutboxPair(opened, path, path.parent / "stand-in" / "outbox.sqlite")
        pair.accept(readings(2))
        account = pair.account()
        assert (account.is_durable, account.depth) == (False, 2)
        assert account.trouble is not None
        pair.close()
    outbox = opened(path)
    assert set_aside_count(path) == 1
    salvaged(outbox)
    assert len(numbers(outbox)) > 2_800
    outbox.close()


@pytest.mark.parametrize("work", ["read", "accept", "stored", "account", "salvage", "probe"])
def test_a_file_that_breaks_while_running_and_can_not_be_put_aside_is_a_refusal(path: Path, work: str) -> None:
    outbox = opened(path)
    outbox.accept(readings(COUNT))
    empty_log(outbox)
    end = outbox.account().end_row
    works: dict[str, Callable[[], object]] = {
        "read": lambda: outbox.read(ALL, limit=10),
        "accept": lambda: outbox.accept(readings(1)),
        "stored": lambda: outbox.stored([RowRange(10, 20)]),
        "account": outbox.account,
        "salvage": outbox.salvage,
        "probe": outbox.probe,
    }
    garble(path, 0, path.stat().st_size)
    outbox._book().db.execute("PRAGMA shrink_memory")
    with held_fast(path):
        for _ in range(2):
            with pytest.raises(OutboxFull, match="put aside"):
                works[work]()
        assert set_aside_count(path) == 0
    works[work]()
    assert set_aside_count(path) == 1
    accepted = outbox.accept(readings(1))
    assert accepted is not None
    assert accepted.first >= end + BOOT_GAP
    outbox.close()


def test_a_broken_file_whose_follower_could_not_be_begun_is_moved_over_by_the_next_life(path: Path) -> None:
    before = filled(path, 3_000)
    garble(path, path.stat().st_size - 1_024, 1_024)
    outbox = opened(path)
    accepted = outbox.accept(readings(1))
    assert accepted is not None
    outbox.close()
    for suffix in ("", LOG, "-shm"):  # as a disk leaves it that was full at that instant
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    outbox = opened(path)
    assert outbox.is_salvaging
    salvaged(outbox)
    assert len(set(numbers(outbox)) & {row[0] for row in before}) > 2_800
    outbox.close()


@contextmanager
def no_more_handles() -> Iterator[None]:
    """Let the kernel open no file any more for this process."""
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_broken_file_that_can_not_be_opened_at_this_moment_is_moved_over_later(path: Path) -> None:
    filled(path, 3_000)
    garble(path, path.stat().st_size - 1_024, 1_024)
    outbox = opened(path)
    with no_more_handles(), pytest.raises(OutboxFull):
        outbox.salvage()
    assert outbox.is_salvaging
    waiting = outbox.account().to_salvage
    assert waiting >= 3_000
    outbox.salvage()
    assert outbox.account().to_salvage == waiting - SALVAGE_ROWS - 1  # number 0 is none
    salvaged(outbox)
    assert outbox.account().to_salvage == 0
    assert len(numbers(outbox)) > 2_800
    outbox.close()


async def test_the_door_says_once_that_rows_can_not_be_moved_over_now(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.outbox.door.RETRY_S", 0.01)
    filled(path)
    garble(path, 400 * 1_024, 1_024)
    tries = 0
    salvage = Outbox.salvage

    def refused(self: Outbox) -> RowRange | None:
        nonlocal tries
        tries += 1
        if tries <= 3:
            raise OutboxFull("the disk gives nothing")
        return salvage(self)

    monkeypatch.setattr(Outbox, "salvage", refused)
    with capture_logs() as logs:
        door = await OutboxDoor.opened(path, bytes_max=BIG, undecoded_max=10)
        await eventually(lambda: not door._outbox.is_salvaging)
        await door.close()
    said = [log for log in logs if log["event"].startswith("rows can not be moved over now")]
    assert [log["error"] for log in said] == ["the disk gives nothing"]
    assert tries > 4


def test_what_was_put_aside_is_counted_even_where_the_folder_can_not_be_read(path: Path) -> None:
    path.write_bytes(b"no database" * 20)
    opened(path).close()
    with no_more_handles():
        assert set_aside_count(path) == 0
    assert set_aside_count(path) == 1


def test_a_broken_file_that_is_gone_is_not_waited_for(path: Path) -> None:
    filled(path, 3_000)
    garble(path, path.stat().st_size - 1_024, 1_024)
    outbox = opened(path)
    assert outbox.set_aside is not None
    outbox.set_aside.unlink()
    assert salvaged(outbox) == []
    assert outbox.accept(readings(1)) is not None
    outbox.close()


def test_rows_that_another_keeps_from_being_read_are_not_given_up(path: Path) -> None:
    before = filled(path, 100)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        broken = BrokenFile(path)
        broken._db.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN EXCLUSIVE")
        reads: list[Callable[[], object]] = [
            lambda: broken.rows(0, 1_000, limit=1_000),
            broken.sources,
            broken.boots,
            broken.evidence,
            broken.tasks,
            broken.end,
        ]
        for read in reads:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                read()
        other.execute("ROLLBACK")
        assert len(broken.rows(0, 1_000, limit=1_000)[0]) == len(before)
        broken.close()


def test_files_put_aside_are_bounded_in_number_and_in_bytes(path: Path) -> None:
    for _ in range(SET_ASIDE_MAX + 3):
        path.write_bytes(b"no database" * 20)
        opened(path).close()
    assert set_aside_count(path) == SET_ASIDE_MAX
    assert sorted(p.name for p in path.parent.glob("*.unreadable-*"))[-1].endswith(f"-{SET_ASIDE_MAX + 3}")
    path.write_bytes(bytes(300_000))
    opened(path, bytes_max=300_100).close()
    assert set_aside_count(path) == 1


async def test_the_door_moves_rows_over_between_the_calls_of_others(path: Path) -> None:
    filled(path)
    garble(path, 400 * 1_024, 1_024)
    door = await OutboxDoor.opened(path, bytes_max=BIG, undecoded_max=10)
    accepted = await door.accept(readings(1))
    assert accepted is not None
    taken: list[RowRange] = []

    async def is_moved() -> bool:
        taken.extend(door.take_salvaged())
        return (await door.account()).depth > COUNT - 200

    await eventually(is_moved)
    await eventually(lambda: not door._outbox.is_salvaging)
    taken.extend(door.take_salvaged())
    found = (await door.read(RowRange(0, ROW_END), limit=100_000)).rows
    inside = [row for row in found if any(r.first <= row[0] < r.end for r in taken)]
    assert len(inside) == len(found) - 1
    await door.close()
