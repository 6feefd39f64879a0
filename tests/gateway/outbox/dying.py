"""A child: what is missing of an open outbox is written again, and the process dies before the n-th thing it does.

Arguments: folder, file to take away ("", "-wal", "-shm" or "stranger"). Prints for each n whether it came to the end.
"""

import os
import sys
from pathlib import Path

from gateway.outbox.looking import LOOK_EVERY_S
from gateway.outbox.outbox import Outbox
from tests.gateway.outbox_rows import opened, readings

_DOINGS = frozenset({"os.rename", "os.remove", "sqlite3.connect", "open"})
STRANGERS = 7


def main(folder: Path, gone: str) -> None:
    number = 0
    while True:
        number += 1
        child = os.fork()
        if child == 0:
            _repair(folder / str(number) / "outbox.sqlite", gone, dies_at=number)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            return
        assert os.waitstatus_to_exitcode(status) == 9, status


def _repair(path: Path, gone: str, *, dies_at: int) -> None:
    now_s = 1_000.0
    outbox: Outbox = opened(path, now_s=lambda: now_s)
    outbox.accept(readings(400))
    outbox._book().db.execute("PRAGMA wal_checkpoint(RESTART)")
    outbox.accept(readings(100, first=400))
    if gone == "stranger":
        stranger = opened(path.with_name("other.sqlite"))
        stranger.accept(readings(STRANGERS, value=9_100))
        stranger.close()
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink()
        stranger.path.replace(path)
    else:
        path.with_name(path.name + gone).unlink()
    done = 0

    def die(event: str, _arguments: object) -> None:
        nonlocal done
        done += event in _DOINGS
        if done == dies_at:
            os._exit(9)

    sys.addaudithook(die)
    now_s += LOOK_EVERY_S
    outbox.account()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
