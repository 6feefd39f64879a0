"""Broken files are kept until their rows are moved over; where too many wait, what is given up is counted."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.outbox.aside import SET_ASIDE_MAX
from gateway.outbox.outbox import Outbox, set_aside_count
from tests.gateway.outbox.test_damage import filled, garble, salvaged
from tests.gateway.outbox_rows import numbers, opened, readings

BYTES_MAX = 150 * 1024
ROWS = 2_500


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def broken_again(path: Path, times: int) -> Outbox:
    """Let a file break so often, each with rows of its own, before any row is moved over; open what comes after."""
    for number in range(times):
        outbox = opened(path, bytes_max=BYTES_MAX)
        outbox.accept(readings(ROWS, first=ROWS * number))
        outbox.close()
        garble(path, path.stat().st_size // 2048 * 1024, 100)
    return opened(path, bytes_max=BYTES_MAX)


def test_no_file_is_removed_while_rows_of_it_wait_to_be_moved_over(path: Path) -> None:
    outbox = broken_again(path, 4)
    assert set_aside_count(path) == 4  # far beyond the bytes that are kept of files that are done with
    salvaged(outbox)
    account = outbox.account()
    assert account.accepted == account.stored + account.thinned + account.given_up + account.depth
    assert 4 * (ROWS - 100) < account.accepted <= 4 * ROWS
    assert (account.given_up, account.depth) == (0, len(numbers(outbox)))
    assert set_aside_count(path) == 1
    outbox.close()


def test_of_too_many_that_wait_the_oldest_is_given_up_and_its_rows_are_counted(path: Path) -> None:
    with capture_logs() as logs:
        outbox = broken_again(path, SET_ASIDE_MAX + 2)
    given_up = [log for log in logs if "given up" in log["event"]]
    assert [log["file"][-2:] for log in given_up] == ["-1", "-2"]
    account = outbox.account()
    assert 2 * (ROWS - 100) < account.given_up <= 2 * ROWS
    assert account.given_up == sum(log["rows"] for log in given_up)
    assert (account.accepted, account.depth) == (account.given_up, 0)
    salvaged(outbox)
    account = outbox.account()
    assert account.accepted == account.stored + account.thinned + account.given_up + account.depth
    assert account.depth == len(numbers(outbox))
    assert account.accepted > (SET_ASIDE_MAX + 2) * (ROWS - 100)
    outbox.close()


def test_a_file_that_is_done_with_goes_when_the_next_is_put_aside(path: Path) -> None:
    for _ in range(SET_ASIDE_MAX + 1):
        filled(path, 100)
        garble(path, path.stat().st_size - 1_024, 100)
        outbox = opened(path)
        salvaged(outbox)
        outbox.stored([])
        outbox.close()
    assert set_aside_count(path) == SET_ASIDE_MAX
