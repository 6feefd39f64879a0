"""SIGKILL of a real process in a loop: what it said was accepted is there."""

import random
import subprocess
import sys
from pathlib import Path

from gateway.outbox import Outbox
from gateway.rows import ROW_END, RowRange

ROUNDS = 25
REPOSITORY = Path(__file__).resolve().parents[2]


def test_nothing_accepted_is_lost_by_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    choice = random.Random(20_261_121)
    told = 0
    ids = set()
    for _ in range(ROUNDS):
        told = max(told, _told_until_killed(path, after=choice.randint(1, 60)))
        outbox = Outbox(path, bytes_max=1 << 30, undecoded_max=10)
        rows = outbox.read(RowRange(0, ROW_END), limit=10_000_000).rows
        account = outbox.account()
        outbox.close()
        ids.add(account.outbox_id)
        assert outbox.set_aside is None
        assert len(rows) >= told
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        assert all(row[5] == row[0] % 10_000 for row in rows)
        assert account.accepted == account.depth == len(rows)
    assert len(ids) == 1
    assert told > ROUNDS


def _told_until_killed(path: Path, *, after: int) -> int:
    """Run the child, kill it right after so many lines, and give the last row number it told of (whole lines only)."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.gateway.outbox_child", str(path)], stdout=subprocess.PIPE, cwd=REPOSITORY
    )
    assert child.stdout is not None
    with child:
        lines = [child.stdout.readline() for _ in range(after)]
        child.kill()
        lines += child.stdout.readlines()
    whole = [line for line in lines if line.endswith(b"\n")]
    return int(whole[-1].split()[1]) - 1
