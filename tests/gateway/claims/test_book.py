"""The book of claims on disk, and the desk that keeps it: offline, restarts, damage, a full disk, two writers."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.claims.book import BookUnavailable, ClaimBook, book_path
from gateway.claims.claims import DEVICES_MAX, Book, Claim, ClaimedBy, ClaimError, with_claim, without_claim
from gateway.claims.desk import ClaimDesk
from tests.gateway.waiting import eventually

A, B, C = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B", "C0:00:00:00:00:0C"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def config(*addresses: str, at: str = "2026-03-01T11:00:00+00:00") -> bytes:
    return json.dumps({"issued_at": at, "devices": [{"address": address} for address in addresses]}).encode()


@pytest.fixture
def book(tmp_path: Path) -> ClaimBook:
    return ClaimBook(book_path(tmp_path / "outbox.sqlite"))


class Fleet:
    """What a desk has told."""

    def __init__(self) -> None:
        self.claims: tuple[Claim, ...] | None = None
        self.told = 0
        self.changes = 0

    def apply(self, claims: tuple[Claim, ...]) -> None:
        self.claims = claims
        self.told += 1

    def changed(self) -> None:
        self.changes += 1

    @property
    def addresses(self) -> list[str]:
        return [claim.address for claim in self.claims or ()]


@asynccontextmanager
async def at_work(
    book: ClaimBook, *, settings: tuple[str, ...] = (), devices_max: int = 32
) -> AsyncIterator[tuple[ClaimDesk, Fleet]]:
    """Run a desk; it has told the fleet for the first time when this returns."""
    desk, fleet = ClaimDesk(book, settings=settings, devices_max=devices_max, now=lambda: NOW), Fleet()
    task = asyncio.create_task(desk.run(fleet.apply, fleet.changed))
    try:
        await eventually(lambda: fleet.claims is not None)
        yield desk, fleet
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_the_centre_claims_holds_after_a_restart_without_it(book: ClaimBook) -> None:
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A, B))
        await eventually(lambda: fleet.addresses == [A, B])
        await eventually(lambda: book.path.exists())
    async with at_work(book) as (desk, fleet):
        assert fleet.addresses == [A, B]
        assert {claim.claimed_by for claim in fleet.claims or ()} == {ClaimedBy.CENTRE}
        assert (desk.report().devices, desk.report().received_at) == (2, NOW)


async def test_the_centre_s_newest_word_replaces_all_it_said_before(book: ClaimBook) -> None:
    async with at_work(book, settings=(C,)) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.addresses == [C, A])
        desk.hear(config(B, at="2020-01-01T00:00:00+00:00"))
        await eventually(lambda: fleet.addresses == [C, B])
        desk.hear(config())
        await eventually(lambda: fleet.addresses == [C])


async def test_the_same_config_again_neither_writes_nor_tells_the_fleet(book: ClaimBook) -> None:
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.changes == 1)
        before = book.version()
        desk.hear(config(A))
        await eventually(lambda: fleet.changes == 2)
        assert (book.version(), fleet.told) == (before, 2)


async def test_a_refused_config_leaves_what_was_and_is_reported_until_a_good_one(book: ClaimBook) -> None:
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.changes == 1)
        desk.hear(config("nonsense"))
        await eventually(lambda: desk.report().refused is not None)
        assert "'nonsense' is no Bluetooth address" in (desk.report().refused or "")
        assert fleet.addresses == [A]
        desk.hear(config(B))
        await eventually(lambda: fleet.addresses == [B])
        assert desk.report().refused is None


async def test_a_technician_s_claim_is_taken_up_without_a_restart(book: ClaimBook) -> None:
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.addresses == [A])
        command = (
            "claim_book.ClaimBook(pathlib.Path(sys.argv[1])).change(lambda b: claims.with_claim(b, sys.argv[2], None))"
        )
        script = f"import pathlib, sys; from gateway.claims import book as claim_book, claims; {command}"
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, str(book.path), B], check=True)
        await eventually(lambda: fleet.addresses == [A, B])
        await asyncio.to_thread(book.change, lambda now: without_claim(now, B))
        await eventually(lambda: fleet.addresses == [A])


async def test_devices_beyond_the_bound_are_left_out_and_counted(book: ClaimBook) -> None:
    async with at_work(book, devices_max=2) as (desk, fleet):
        desk.hear(config(A, B, C))
        await eventually(lambda: fleet.addresses == [A, B])
        assert (desk.report().devices, desk.report().left_out) == (2, 1)


@pytest.mark.parametrize("damage", [b"", b"\x00" * 300, b'{"technician": 7}', b'{"config": null'])
async def test_an_unreadable_book_is_set_aside_and_counted(book: ClaimBook, damage: bytes) -> None:
    book.path.write_bytes(damage)
    async with at_work(book, settings=(C,)) as (desk, fleet):
        assert (fleet.addresses, desk.report().set_aside) == ([C], 1)
        desk.hear(config(A))
        await eventually(lambda: fleet.addresses == [C, A])
        await eventually(lambda: book.path.exists())
    assert book.path.with_name("claims.json.unreadable-1").read_bytes() == damage


async def test_a_book_damaged_or_removed_under_a_running_gateway_loses_nothing_of_the_centre_s(book: ClaimBook) -> None:
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.changes == 1)
        book.path.write_bytes(b"scribble")
        await eventually(lambda: desk.report().set_aside == 1)
        await eventually(lambda: fleet.addresses == [A] and book.path.exists())
        book.path.unlink()
        await eventually(lambda: book.path.exists())
        assert fleet.addresses == [A]
    assert [claim.address for claim in (ClaimBook(book.path).read().config or pytest.fail("no config")).claims] == [A]


def test_at_most_five_unreadable_books_are_kept(book: ClaimBook) -> None:
    for number in range(7):
        book.path.write_bytes(b"scribble %d" % number)
        assert book.read() == Book()
    kept = sorted(path.read_bytes() for path in book.path.parent.glob("claims.json.unreadable-*"))
    assert kept == [b"scribble %d" % number for number in range(2, 7)]
    assert book.set_aside == 5


async def test_where_the_disk_takes_nothing_the_claims_hold_in_memory_and_are_written_later(book: ClaimBook) -> None:
    obstacle = book.path.with_name(".claims.json.new")
    obstacle.mkdir()
    async with at_work(book) as (desk, fleet):
        desk.hear(config(A))
        await eventually(lambda: fleet.addresses == [A])
        assert not book.path.exists()
        obstacle.rmdir()
        await eventually(lambda: book.path.exists())
    async with at_work(book) as (_, fleet):
        assert fleet.addresses == [A]


def test_what_can_not_be_written_is_said_by_name(book: ClaimBook) -> None:
    book.path.with_name(".claims.json.new").mkdir()
    with pytest.raises(BookUnavailable, match=r"claims\.json: Is a directory"):
        book.change(lambda now: with_claim(now, A, None))
    with pytest.raises(ClaimError, match="is not claimed here"):
        book.change(lambda now: without_claim(now, A))


def test_writers_of_two_processes_lose_none_of_each_other_s_claims(book: ClaimBook) -> None:
    script = (
        "import pathlib, sys\nfrom gateway.claims import book as claim_book, claims\n"
        "book = claim_book.ClaimBook(pathlib.Path(sys.argv[1]))\n"
        "for n in range(16): book.change(lambda b: claims.with_claim(b, f'C0:00:00:00:{sys.argv[2]}:{n:02X}', None))"
    )
    children = [subprocess.Popen([sys.executable, "-c", script, str(book.path), f"0{n}"]) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len({claim.address for claim in book.read().technician}) == 48 < DEVICES_MAX


def test_the_book_may_be_read_by_the_service_whoever_wrote_it(book: ClaimBook) -> None:
    before = os.umask(0o077)
    try:
        book.change(lambda now: with_claim(now, A, None))
    finally:
        os.umask(before)
    for path in (book.path, book.path.with_name("claims.json.lock")):
        assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_a_change_is_on_the_disk_before_it_takes_the_old_one_s_place(book: ClaimBook, tmp_path: Path) -> None:
    script = (
        "import pathlib, sys\nfrom gateway.claims import book as claim_book, claims\n"
        "claim_book.ClaimBook(pathlib.Path(sys.argv[1])).change(lambda b: claims.with_claim(b, sys.argv[2], None))"
    )
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(trace)]
    subprocess.run([*command, sys.executable, "-c", script, str(book.path), A], check=True)
    calls = [
        re.sub(r"^\d+ +(\w+)\(.*", r"\1", line) for line in trace.read_text().splitlines() if str(tmp_path) in line
    ]
    assert [call.removesuffix("at2").removesuffix("at") for call in calls] == ["fsync", "rename", "fsync"]
