"""What a kill can not show: the system calls before each acceptance is told, as strace saw them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")


def traced(folder: Path, *, groups: int, size: int) -> list[tuple[str, str, int]]:
    """Run the child under strace; give its calls (name, arguments, result) from its "begin" on."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace: ./run test installs it")
    log = folder / "strace"
    calls = "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,sync_file_range"
    child = (sys.executable, "-m", "tests.gateway.outbox_child", str(folder / "outbox.sqlite"), str(groups), str(size))
    done = subprocess.run(
        [strace, "-f", "-y", "-s", "40", "-e", calls, "-o", str(log), *child],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if "PTRACE" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    seen = [CALL.match(line) for line in log.read_text().splitlines()]
    found = [(m["name"], m["arguments"], int(m["result"])) for m in seen if m]
    began = next(index for index, (_, arguments, _) in enumerate(found) if '"begin' in arguments)
    return found[began + 1 :]


@pytest.mark.parametrize(("groups", "size"), [(40, 1), (40, 3), (8, 500), (3, 2_000)])
def test_the_log_is_on_the_disk_before_an_acceptance_is_told(tmp_path: Path, groups: int, size: int) -> None:
    told = 0
    written = synced = False
    for name, arguments, result in traced(tmp_path, groups=groups, size=size):
        if "outbox.sqlite-wal>" in arguments and name.startswith("pw"):
            written, synced = True, False
        elif "outbox.sqlite-wal>" in arguments and name in ("fdatasync", "fsync"):
            assert result == 0
            synced = True
        elif '"accepted ' in arguments:
            assert written, "told without a write to the log"
            assert synced, "told before the log was on the disk"
            told += 1
            written = synced = False
    assert told == groups
