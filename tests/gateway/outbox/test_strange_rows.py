"""Sound rows that can not be sent: of a source that is not there, of a signal that this version does not know."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.outbox import Outbox
from gateway.outbox.rows import RowRange
from gateway.outbox.thinning import Thinned
from tests.gateway.outbox.test_damage import salvaged
from tests.gateway.outbox_rows import ALL, numbers, opened, readings


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = opened(tmp_path / "outbox.sqlite")
    outbox.accept(readings(10))
    yield outbox
    outbox.close()


def copied(outbox: Outbox) -> Path:
    copy = outbox.path.with_name("next-life.sqlite")
    for suffix in ("", "-wal"):
        shutil.copyfile(outbox.path.with_name(outbox.path.name + suffix), copy.with_name(copy.name + suffix))
    return copy


@pytest.mark.parametrize("column", ["signal", "quality", "reason"])
def test_a_row_that_this_version_can_not_read_is_passed_over_counted_and_recorded(outbox: Outbox, column: str) -> None:
    outbox._book().db.execute(f"UPDATE reading SET {column} = 250 WHERE row_no < 4 OR row_no = 7")  # noqa: S608
    found = outbox.read(ALL, limit=3)
    assert [row[0] for row in found.rows] == [4, 5, 6]
    assert numbers(outbox) == [4, 5, 6, 8, 9, 10]
    account = outbox.account()
    assert (account.accepted, account.thinned, account.depth) == (10, 4, 6)
    assert account.thinned_kinds == {"unreadable": 4}
    assert account.thinned_rows == (Thinned(1, 4, 3), Thinned(7, 8, 1))
    assert outbox.set_aside is None


def test_numbers_of_rows_that_were_given_up_are_not_given_again(outbox: Outbox) -> None:
    outbox._book().db.execute("UPDATE reading SET signal = 250")
    assert numbers(outbox) == []
    with closing(opened(copied(outbox))) as next_life:
        assert next_life.accept(readings(1)) == RowRange(11, 12)


def test_a_row_of_a_source_that_is_not_there_breaks_the_file_and_the_others_are_moved_over(outbox: Outbox) -> None:
    outbox._book().db.execute("UPDATE reading SET source = 99 WHERE row_no = 5")
    assert numbers(outbox) == []
    assert outbox.set_aside is not None
    salvaged(outbox)
    assert numbers(outbox) == [1, 2, 3, 4, 6, 7, 8, 9, 10]
