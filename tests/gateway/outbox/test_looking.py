"""An outbox whose file is deleted, replaced or overwritten while it is open: noticed within a minute."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.outbox.looking import LOOK_EVERY_S
from gateway.outbox.outbox import Outbox, OutboxBusy, OutboxFull, read_account, set_aside_count
from gateway.outbox.rows import RowRange
from tests.gateway.outbox.test_damage import content, empty_log, garble, salvaged
from tests.gateway.outbox_rows import numbers, opened, readings, rows


class Running:
    """An open outbox that holds 500 rows, 400 of them in the file itself, and a clock to move."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now_s = 1_000.0
        self.outbox: Outbox = opened(path, now_s=lambda: self.now_s)
        self.outbox.accept(readings(400))
        empty_log(self.outbox)
        self.outbox.accept(readings(100, first=400))
        self.held = [content(row) for row in rows(self.outbox)]

    def later(self) -> None:
        """Let a minute go by, and let somebody ask, as the watch of the centre does each second."""
        self.now_s += LOOK_EVERY_S
        self.outbox.account()

    def after_a_power_cut(self) -> Outbox:
        """Open what lies in the folder, as the next life would find it."""
        folder = self.path.with_name("next-life")
        shutil.copytree(self.path.parent, folder, ignore=shutil.ignore_patterns("*.lock", "next-life"))
        return opened(folder / self.path.name)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "state" / "outbox.sqlite")
    yield running
    running.outbox.close()


@pytest.mark.parametrize("gone", [("",), ("-wal",), ("-shm",), ("", "-wal", "-shm")])
def test_a_file_that_is_deleted_under_the_gateway_is_written_again_with_all_it_held(
    running: Running, gone: tuple[str, ...]
) -> None:
    before = running.outbox.account()
    for suffix in gone:
        running.path.with_name(running.path.name + suffix).unlink()
    running.outbox.accept(readings(5, first=500))
    with capture_logs() as logs:
        running.later()
    assert [log["missing"] for log in logs] == [[running.path.name + suffix for suffix in gone]]
    running.outbox.accept(readings(5, first=505))
    assert running.outbox.outbox_id == before.outbox_id
    assert [content(row) for row in rows(running.outbox)][:500] == running.held
    with closing(running.after_a_power_cut()) as found:
        assert found.outbox_id == before.outbox_id
        assert numbers(found) == list(range(1, 511))
    account, _ = read_account(running.path)
    assert (account.accepted, account.depth, set_aside_count(running.path)) == (510, 510, 0)
    with capture_logs() as logs:
        running.later()
    assert logs == []


def test_a_stranger_in_its_place_is_put_aside(running: Running) -> None:
    stranger = running.path.with_name("stranger")
    with closing(sqlite3.connect(stranger)) as db:
        db.execute("CREATE TABLE something (else_ TEXT)")
    os.replace(stranger, running.path)
    running.later()
    assert set_aside_count(running.path) == 1
    assert [content(row) for row in rows(running.outbox)] == running.held
    with closing(running.after_a_power_cut()) as found:
        assert numbers(found) == list(range(1, 501))


def test_of_a_stranger_that_is_a_sound_outbox_the_rows_are_taken_in_under_numbers_of_ours(running: Running) -> None:
    stranger = opened(running.path.with_name("stranger.sqlite"))
    stranger.accept(readings(7, value=9_100))
    stranger.close()
    os.replace(stranger.path, running.path)
    running.outbox.accept(readings(5, first=500))
    running.later()
    assert set_aside_count(running.path) == 1
    running.outbox.account()
    assert running.outbox.is_salvaging
    assert salvaged(running.outbox) == []  # they are new rows, to be sent as such
    found = rows(running.outbox)
    assert [row[5] for row in found] == [9_700] * 505 + [9_100] * 7
    assert len({row[0] for row in found}) == 512
    account = running.outbox.account()
    assert (account.accepted, account.depth, account.salvaged) == (512, 512, 7)
    assert running.outbox.accept(readings(1)) == RowRange(found[-1][0] + 1, found[-1][0] + 2)


def test_a_folder_that_is_deleted_is_made_again(running: Running) -> None:
    shutil.rmtree(running.path.parent)
    running.later()
    assert [content(row) for row in rows(running.outbox)] == running.held
    with closing(running.after_a_power_cut()) as found:
        assert numbers(found) == list(range(1, 501))


@pytest.mark.parametrize("what", ["the head", "a page", "all", "a value"])
def test_an_overwritten_file_is_noticed_though_memory_still_knows_what_it_held(running: Running, what: str) -> None:
    empty_log(running.outbox)
    size = running.path.stat().st_size
    if what == "a value":
        raw = running.path.read_bytes()
        garbled = raw.rindex((9_700).to_bytes(2, "big"))
        running.path.write_bytes(raw[:garbled] + (8_000).to_bytes(2, "big") + raw[garbled + 2 :])
    else:
        first, length = {"the head": (0, 100), "a page": (size // 2048 * 1024, 1_024), "all": (0, size)}[what]
        garble(running.path, first, length)
    assert [content(row) for row in rows(running.outbox)] == running.held  # SQLite remembers
    before = running.outbox.outbox_id
    running.later()
    assert running.outbox.outbox_id != before
    assert set_aside_count(running.path) == 1
    salvaged(running.outbox)
    assert set(map(content, rows(running.outbox))) <= set(running.held)
    assert running.outbox.accept(readings(3)) is not None
    running.outbox.close()
    running.outbox = opened(running.path)
    assert set_aside_count(running.path) == 1


def test_a_sound_file_is_looked_at_again_and_again_and_left_alone(running: Running) -> None:
    before = running.outbox.outbox_id
    for number in range(20):
        running.outbox.accept(readings(10, first=500 + 10 * number))
        running.outbox.stored([RowRange(1 + 10 * number, 11 + 10 * number)])
        running.later()
    assert (running.outbox.outbox_id, set_aside_count(running.path)) == (before, 0)


def test_a_lock_that_is_deleted_is_taken_again_before_anybody_else_comes(running: Running) -> None:
    running.path.with_name(running.path.name + ".lock").unlink()
    running.later()
    with pytest.raises(OutboxBusy, match="in use"):
        opened(running.path)
    assert running.outbox.accept(readings(1, first=500)) == RowRange(501, 502)


def test_where_another_came_in_over_a_deleted_lock_the_first_stops_and_touches_nothing_more(running: Running) -> None:
    running.path.with_name(running.path.name + ".lock").unlink()
    with closing(opened(running.path)) as second:
        second.accept(readings(5, first=500))
        for _ in range(3):
            with pytest.raises(OutboxBusy, match=r"in use.*stops"):
                running.later()
        works = (lambda: running.outbox.accept(readings(1)), lambda: rows(running.outbox), running.outbox.probe)
        for work in works:
            with pytest.raises(OutboxBusy, match="stops"):
                work()
        assert (len(rows(second)), set_aside_count(running.path)) == (505, 0)
        assert second.account().depth == 505


def test_two_that_give_the_same_number_do_not_put_the_file_aside_under_each_other(running: Running) -> None:
    running.path.with_name(running.path.name + ".lock").unlink()
    with closing(opened(running.path)) as second:
        second.accept(readings(5, first=500))
        with pytest.raises(OutboxBusy, match="stops"):
            running.outbox.accept(readings(5, first=500))
        assert (len(rows(second)), set_aside_count(running.path)) == (505, 0)


def test_where_nothing_can_be_written_it_goes_on_as_it_is_says_so_and_tries_again(running: Running) -> None:
    running.path.unlink()
    shutil.move(running.path.parent, running.path.parent.with_name("elsewhere"))
    running.path.parent.touch()  # a file where the folder was
    with pytest.raises(OutboxFull, match="state"):
        running.later()
    assert running.outbox.accept(readings(5, first=500)) is not None
    running.path.parent.unlink()
    running.later()
    with closing(running.after_a_power_cut()) as found:
        assert numbers(found) == list(range(1, 506))
