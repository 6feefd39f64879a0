"""What a kill can not show: the system calls before each acceptance is told, as strace saw them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
CALL = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")


def without_strace() -> NoReturn:
    """Skip with the reason; in CI fail: nothing else shows that the disk came before the telling."""
    why = "no strace, so nobody saw the system calls: ./run test installs it"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def traced(folder: Path, *, groups: int, size: int) -> list[tuple[str, str, int]]:
    """Run the child under strace; give its calls (name, arguments, result) from its "begin" on."""
    strace = shutil.which("strace")
    if strace is None:
        without_strace()
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


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_without_strace_ci_fails_and_does_not_skip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no strace"):
        traced(tmp_path, groups=1, size=1)
