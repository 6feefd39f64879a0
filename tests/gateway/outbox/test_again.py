"""An outbox that is written to its place again: a process that dies on the way, and a disk that takes no copy."""

import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.outbox.looking import LOOK_EVERY_S
from gateway.outbox.outbox import OutboxFull
from tests.gateway.outbox.dying import STRANGERS
from tests.gateway.outbox.test_damage import salvaged
from tests.gateway.outbox_rows import numbers, opened, readings, rows

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("gone", ["", "-wal", "-shm", "stranger"])
def test_whenever_the_process_dies_nothing_is_lost_that_was_there_before_or_in_the_finished_copy(
    tmp_path: Path, gone: str
) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.gateway.outbox.dying", str(tmp_path), gone], cwd=REPOSITORY, check=True
    )
    left = {"": 0, "-wal": 400, "-shm": 500, "stranger": STRANGERS}[gone]
    found = []
    for folder in sorted(tmp_path.iterdir(), key=lambda folder: int(folder.name)):
        with closing(opened(folder / "outbox.sqlite")) as outbox:
            salvaged(outbox)
            found.append(len(numbers(outbox)))
            account = outbox.account()
            assert account.accepted == account.depth == len(set(numbers(outbox)))
        assert not list(folder.glob("*.again*")) + list(folder.glob("*.whole*"))
    everything = 500 + (STRANGERS if gone == "stranger" else 0)
    assert len(found) > 5
    assert found == sorted(found)
    assert set(found) == {left, everything}
    assert found.count(everything) >= 4  # it is safe before the first file in its place is touched


def test_a_copy_that_the_disk_has_no_room_for_leaves_nothing_behind(tmp_path: Path) -> None:
    now_s = 1_000.0
    path = tmp_path / "outbox.sqlite"
    with closing(opened(path, now_s=lambda: now_s)) as outbox:
        outbox.accept(readings(2_000))
        path.unlink()
        now_s += LOOK_EVERY_S
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1_024, hard))
        try:
            with pytest.raises(OutboxFull):
                outbox.account()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(tmp_path.glob("*.again*"))
        now_s += LOOK_EVERY_S
        outbox.account()
        assert path.exists()
        assert len(rows(outbox)) == 2_000
