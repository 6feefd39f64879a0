"""A disk that is full, read-only or failing, and the stand-in in memory: nothing accepted is lost, all resumes."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.outbox.outbox import Outbox, OutboxError, OutboxFull
from gateway.outbox.pair import RETURN_EVERY_S, STAND_IN_AFTER_S, OutboxPair, stand_in_bytes
from gateway.outbox.rows import Record, RowRange
from tests.gateway.outbox_rows import ALL, BIG, numbers, opened, readings, rows, stamped

MIB = 1024 * 1024
REPOSITORY = Path(__file__).resolve().parents[3]


def mounted(where: Path, *options: str) -> Path:
    """Mount a small file system, or skip with the reason."""
    where.mkdir()
    done = subprocess.run(["mount", *options, str(where)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip() or done.stdout.strip()}")
    return where


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB in memory."""
    disk = mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=8m", "none")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def breakable_disk() -> Iterator[Path]:
    """A real ext4 that turns read-only at its first error."""
    folder = Path(tempfile.mkdtemp())
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(32 * MIB)
    if shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        pytest.skip("no mkfs.ext4")
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", str(image)], check=True)
    disk = mounted(folder / "disk", "-o", "loop,errors=remount-ro", str(image))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
    shutil.rmtree(folder)


def break_disk(disk: Path) -> None:
    """Let the kernel find an error on the file system."""
    found = subprocess.run(["findmnt", "-n", "-o", "SOURCE", str(disk)], capture_output=True, text=True, check=True)
    trigger = Path("/sys/fs/ext4") / Path(found.stdout.strip()).name / "trigger_fs_error"
    if not trigger.exists():
        pytest.skip(f"no {trigger}")
    trigger.write_text("found by a test")


def fill(disk: Path) -> Path:
    """Take all the room there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


def accept_until_full(outbox: Outbox) -> int:
    """Accept groups of ten until the disk takes no more; say how many readings were accepted."""
    accepted = 0
    try:
        while True:
            outbox.accept(readings(10, first=accepted))
            accepted += 10
    except OutboxFull:
        return accepted


def test_a_full_disk_takes_nothing_loses_nothing_and_resumes(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite"
    outbox = opened(path)
    outbox.accept(readings(10))
    ballast = fill(small_disk)
    accepted = 10 + accept_until_full(outbox)
    assert accepted > 1_000  # in the room that the log has taken beforehand
    for _ in range(3):
        with pytest.raises(OutboxFull, match="full"):
            outbox.accept(readings(50_000))
    assert numbers(outbox) == list(range(1, accepted + 1))
    ballast.unlink()
    assert outbox.accept(readings(5)) == RowRange(accepted + 1, accepted + 6)
    account = outbox.account()
    assert (account.accepted, account.depth) == (accepted + 5, accepted + 5)
    outbox.close()
    again = opened(path)
    assert again.set_aside is None
    assert numbers(again) == list(range(1, accepted + 6))
    again.close()


def test_a_full_disk_still_forgets_what_is_stored_and_so_makes_its_own_room(small_disk: Path) -> None:
    outbox = opened(small_disk / "outbox.sqlite")
    outbox.accept(readings(50_000))
    turn_over(outbox, range(1, 50_001, 10_000))
    outbox._book().db.execute("PRAGMA wal_checkpoint(PASSIVE)")
    fill(small_disk)
    turn_over(outbox, range(50_001, 500_001, 10_000))
    assert outbox.account().depth == 50_000
    outbox.close()


def turn_over(outbox: Outbox, firsts: range) -> None:
    """Store the oldest and accept as many anew, again and again."""
    for first in firsts:
        assert outbox.stored([RowRange(first, first + 10_000)]) == 10_000
        assert outbox.accept(readings(10_000)) is not None


def test_a_restart_on_a_full_disk_finds_everything(small_disk: Path) -> None:
    path = small_disk / "outbox.sqlite"
    outbox = opened(path)
    fill(small_disk)
    accepted = accept_until_full(outbox)
    shutil.copytree(small_disk, small_disk.parent / "killed", ignore=lambda *_: {"ballast"})
    outbox.close()
    outbox = opened(path)
    assert outbox.set_aside is None
    assert numbers(outbox) == list(range(1, accepted + 1))
    outbox.close()
    killed = opened(small_disk.parent / "killed" / "outbox.sqlite")
    assert killed.set_aside is None
    assert numbers(killed) == list(range(1, accepted + 1))
    killed.close()


def test_a_file_size_limit_is_a_full_disk_too(tmp_path: Path) -> None:
    """Where nothing can be mounted this one still runs: the kernel refuses the write itself."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.gateway.outbox.test_disk", str(tmp_path / "outbox.sqlite")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    accepted = int(child.stdout)
    outbox = opened(tmp_path / "outbox.sqlite")
    assert outbox.set_aside is None
    assert numbers(outbox)[:accepted] == list(range(1, accepted + 1))
    assert outbox.accept(readings(1)) is not None
    outbox.close()


def test_a_disk_that_turns_read_only_gives_what_it_has_and_takes_nothing(breakable_disk: Path) -> None:
    outbox = opened(breakable_disk / "outbox.sqlite")
    outbox.accept(readings(100))
    break_disk(breakable_disk)
    for _ in range(3):
        with pytest.raises(OutboxFull):
            outbox.accept(readings(1))
        with pytest.raises(OutboxFull):
            outbox.stored([RowRange(1, 50)])
    assert numbers(outbox) == list(range(1, 101))
    assert outbox.set_aside is None
    outbox.close()
    with pytest.raises(OutboxFull):
        opened(breakable_disk / "outbox.sqlite")


class Pair:
    """Two outboxes, and a clock to move."""

    def __init__(self, folder: Path) -> None:
        self.now_s = 1_000.0
        self.folder = folder
        self.pair = self.opened()

    def opened(self) -> OutboxPair:
        disk, memory = (self.folder / name / "outbox.sqlite" for name in ("disk", "memory"))
        return OutboxPair(opened, disk, memory, now_s=lambda: self.now_s)

    def refuse(self, refuses: bool) -> None:
        """Let SQLite itself refuse every write on the disk's outbox, or take them again."""
        disk = self.pair._disk
        assert disk is not None
        disk._book().db.execute(f"PRAGMA query_only = {refuses}")

    def refused_for_long(self) -> None:
        with pytest.raises(OutboxFull):
            self.pair.accept(readings(1))
        self.now_s += STAND_IN_AFTER_S


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    found = Pair(tmp_path)
    yield found
    found.pair.close()


def test_a_short_refusal_is_waited_for_and_said(pair: Pair) -> None:
    pair.pair.accept(readings(1))
    disk_id = pair.pair.outbox_id
    pair.refuse(True)
    with pytest.raises(OutboxFull):
        pair.pair.accept(readings(1))
    account = pair.pair.account()
    assert account.is_durable
    assert account.trouble is not None
    assert "readonly" in account.trouble
    pair.now_s += STAND_IN_AFTER_S - 1
    pair.refuse(False)
    assert pair.pair.accept(readings(1)) == RowRange(2, 3)
    assert pair.pair.account().trouble is None
    assert pair.pair.outbox_id == disk_id


def test_while_the_disk_refuses_readings_go_on_in_memory_and_return_when_it_takes_them(pair: Pair) -> None:
    pair.pair.accept(readings(2))
    disk_id = pair.pair.outbox_id
    pair.refuse(True)
    pair.refused_for_long()
    given = [stamped(5, 8_800, mono_ms=77, synchronised=False), stamped(6, None)]
    assert pair.pair.accept(given) == RowRange(1, 3)
    assert pair.pair.outbox_id != disk_id
    account = pair.pair.account()
    assert (account.is_durable, account.depth) == (False, 2)
    assert pair.pair.stored([RowRange(1, 2)]) == 1
    pair.now_s += RETURN_EVERY_S
    pair.pair.accept(readings(1))
    assert not pair.pair.account().is_durable
    pair.refuse(False)
    pair.now_s += RETURN_EVERY_S
    pair.pair.accept(readings(1))
    account = pair.pair.account()
    assert (account.is_durable, account.trouble, account.outbox_id) == (True, None, disk_id)
    assert account.depth == 2 + 1 + 1 + 1
    assert [row[5] for row in pair.pair.read(ALL, limit=10).rows] == [9_700, 9_700, None, 9_700, 9_700]
    assert not (pair.folder / "memory" / "outbox.sqlite").exists()


def test_a_full_stand_in_returns_in_steps_and_readings_are_accepted_in_between(pair: Pair) -> None:
    disk_id = pair.pair.outbox_id
    pair.refuse(True)
    pair.refused_for_long()
    for first in range(0, 5_000, 1_000):
        pair.pair.accept(readings(1_000, first=first))
    pair.refuse(False)
    pair.now_s += RETURN_EVERY_S
    steps = 0
    pair.pair.accept(readings(1, first=5_000))
    while pair.pair.is_salvaging:
        steps += 1
        assert not pair.pair.account().is_durable
        before = pair.pair.account().depth
        assert pair.pair.accept(readings(1, first=5_000 + steps)) is not None
        pair.pair.salvage()
        assert pair.pair.outbox_id == disk_id or before - pair.pair.account().depth <= 1_000
    assert steps >= 4
    account = pair.pair.account()
    assert (account.is_durable, account.outbox_id) == (True, disk_id)
    times = [row[3] for row in pair.pair.read(ALL, limit=10_000).rows]
    assert times == list(range(5_001 + steps))


def test_a_disk_that_refuses_in_the_midst_of_the_return_gets_the_rest_later_and_nothing_twice(pair: Pair) -> None:
    pair.refuse(True)
    pair.refused_for_long()
    for first in range(0, 3_000, 1_000):
        pair.pair.accept(readings(1_000, first=first))
    pair.refuse(False)
    pair.now_s += RETURN_EVERY_S
    pair.pair.accept([])
    pair.refuse(True)
    pair.pair.salvage()
    account = pair.pair.account()
    assert (pair.pair.is_salvaging, account.is_durable, account.depth) == (False, False, 2_000)
    assert account.trouble is not None
    pair.refuse(False)
    pair.now_s += RETURN_EVERY_S
    pair.pair.accept([])
    while pair.pair.is_salvaging:
        pair.pair.salvage()
    assert [row[3] for row in pair.pair.read(ALL, limit=10_000).rows] == list(range(3_000))


def test_a_gateway_starts_on_a_disk_that_takes_nothing(breakable_disk: Path, tmp_path: Path) -> None:
    (breakable_disk / "disk").mkdir()
    outbox = opened(breakable_disk / "disk" / "outbox.sqlite")
    outbox.accept(readings(7))
    break_disk(breakable_disk)
    outbox.close()
    path, stand_in = breakable_disk / "disk" / "outbox.sqlite", tmp_path / "memory" / "outbox.sqlite"
    pair = OutboxPair(opened, path, stand_in)
    pair.accept(readings(3))
    account = pair.account()
    assert (account.is_durable, account.depth) == (False, 3)
    assert account.trouble is not None
    pair.close()


def test_the_stand_in_takes_a_quarter_of_a_small_memory_at_most(small_disk: Path) -> None:
    """/run is a tenth of a box's memory, and the whole system needs it."""
    assert stand_in_bytes(small_disk / "stand-in" / "outbox.sqlite") == 2 * MIB


def test_a_path_that_can_never_be_an_outbox_is_no_matter_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="file") as caught:
        OutboxPair(opened, tmp_path / "file" / "outbox.sqlite", tmp_path / "memory" / "outbox.sqlite")
    assert not isinstance(caught.value, OutboxFull)
    assert not (tmp_path / "memory").exists()


def test_without_a_stand_in_too_readings_wait_and_are_tried_again(pair: Pair) -> None:
    (pair.folder / "memory").touch()  # what can never hold one
    pair.refuse(True)
    pair.refused_for_long()
    for _ in range(2):
        with pytest.raises(OutboxFull, match="memory"):
            pair.pair.accept(readings(1))
    assert pair.pair.account().trouble is not None
    pair.refuse(False)
    assert pair.pair.accept(readings(1)) is not None
    assert pair.pair.account().trouble is None


def test_a_stand_in_of_an_earlier_life_that_can_not_be_opened_does_not_keep_the_disk_from_its_work(pair: Pair) -> None:
    pair.pair.close()
    held = opened(pair.folder / "memory" / "outbox.sqlite")
    held.accept(readings(3))
    pair.now_s = 1_000.0
    pair.pair = pair.opened()
    assert pair.pair.accept(readings(1)) is not None
    assert pair.pair.account().is_durable
    held.close()
    pair.now_s += RETURN_EVERY_S
    pair.pair.accept(readings(1))
    assert pair.pair.account().depth == 1 + 1 + 3
    assert not (pair.folder / "memory" / "outbox.sqlite").exists()


def test_too_little_memory_for_sqlite_is_a_refusal_too(tmp_path: Path) -> None:
    """In a process of its own: what SQLite may take can only be lowered."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.gateway.outbox.test_disk", str(tmp_path / "outbox.sqlite"), "memory"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, "refused"), child.stderr


def test_what_lies_in_memory_outlives_the_process_though_not_the_machine(pair: Pair) -> None:
    pair.refuse(True)
    pair.refused_for_long()
    pair.pair.accept(readings(2), [], [Record(device="A", payload=b"1", rows=(stamped(1),))])
    pair.pair.close()
    pair.now_s = 1_000.0
    pair.pair = pair.opened()
    assert pair.pair.account().depth == 3
    assert pair.pair.account().is_durable


def main(path: Path) -> None:
    """Accept until the kernel refuses, and say how many readings were accepted."""
    outbox = Outbox(path, bytes_max=BIG, undecoded_max=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size, 6 * MIB))
    accepted = 0
    try:
        while True:
            outbox.accept(readings(1_000, first=accepted))
            accepted += 1_000
    except OutboxFull:
        assert len(rows(outbox)) == accepted
        sys.stdout.write(str(accepted))


def starve(path: Path) -> None:
    """Take SQLite's memory away, and say that a batch was refused."""
    outbox = opened(path)
    with suppress(MemoryError):  # its own answer finds none left
        outbox._book().db.execute("PRAGMA hard_heap_limit = 1")
    try:
        outbox.accept(readings(10_000))
    except OutboxFull:
        sys.stdout.write("refused")


if __name__ == "__main__":
    (starve if "memory" in sys.argv else main)(Path(sys.argv[1]))
