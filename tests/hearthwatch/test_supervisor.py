"""The supervisor: ready or an error with the log, restarted when it dies, stopped in order, nobody orphaned."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hearthwatch.services.process import (
    ProcessAlreadyRunning,
    ProcessError,
    ProcessNotReady,
    ProcessNotRunning,
    ProcessSpec,
)
from hearthwatch.services.supervisor import State, Supervisor

FOREVER = ("sleep", "1000")
PATIENCE = timedelta(seconds=30)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor that logs to the test's folder."""
    with Supervisor(tmp_path / "log") as running:
        yield running


def test_start_returns_when_the_process_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    supervisor.start(_shell("a", f"touch {sign}; sleep 1000", ready=sign.exists))
    assert supervisor.state("a") is State.READY
    assert _alive(supervisor.pid("a"))
    assert supervisor.restarts("a") == 0


def test_ctrl_c_before_its_keeper_has_started_leaves_nothing_to_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    supervisor = Supervisor(tmp_path / "log")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            supervisor.start(ProcessSpec(name="a", argv=FOREVER))
    supervisor.stop_all()
    assert supervisor.state("a") is State.STOPPED


def test_a_process_that_ends_before_it_is_ready_is_an_error_with_its_log(supervisor: Supervisor) -> None:
    spec = _shell("a", "echo no such file as hearthwatch.toml >&2; exit 3", ready=_never)
    with pytest.raises(ProcessNotReady, match=r"(?s)a ended with exit code 3.*no such file as hearthwatch\.toml"):
        supervisor.start(spec)
    assert supervisor.state("a") is State.FAILED


def test_a_process_that_is_never_ready_is_stopped_and_an_error(supervisor: Supervisor) -> None:
    spec = _shell("a", "echo thinking; sleep 1000", ready=_never, ready_within=timedelta(seconds=0.3))
    with pytest.raises(ProcessNotReady, match=r"(?s)not ready within.*thinking"):
        supervisor.start(spec)
    with pytest.raises(ProcessNotRunning):
        supervisor.pid("a")


def test_a_command_that_does_not_exist_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(ProcessNotReady, match="no-such-command"):
        supervisor.start(ProcessSpec(name="a", argv=("no-such-command",), ready=_never))


def test_a_killed_process_is_restarted_and_counted(supervisor: Supervisor) -> None:
    supervisor.start(ProcessSpec(name="a", argv=FOREVER))
    for n in range(3):
        killed = supervisor.kill("a")
        supervisor.wait_for_restart("a", beyond=n)
        assert supervisor.pid("a") != killed
    assert supervisor.restarts("a") == 3


def test_a_process_that_is_not_to_be_restarted_stays_down(supervisor: Supervisor) -> None:
    supervisor.start(ProcessSpec(name="a", argv=FOREVER, restart=False))
    supervisor.kill("a")
    supervisor.wait_until_ended("a")
    assert supervisor.restarts("a") == 0
    supervisor.start(ProcessSpec(name="a", argv=FOREVER, restart=False))


def test_a_restart_waits_until_it_may(supervisor: Supervisor, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    supervisor.start(ProcessSpec(name="a", argv=FOREVER, may_start=lambda: not blocked.exists()))
    blocked.touch()
    supervisor.kill("a")
    with pytest.raises(ProcessNotReady):
        supervisor.wait_for_restart("a", beyond=0, within=timedelta(seconds=0.5))
    blocked.unlink()
    supervisor.wait_for_restart("a", beyond=0)


def test_a_check_that_raises_is_named_and_does_not_end_the_supervisor(supervisor: Supervisor) -> None:
    spec = _shell("a", "sleep 1000", ready=lambda: bool(1 / 0), ready_within=timedelta(seconds=0.2))
    with pytest.raises(ProcessNotReady):
        supervisor.start(spec)
    supervisor.start(ProcessSpec(name="b", argv=FOREVER))


def test_a_name_is_kept_once(supervisor: Supervisor) -> None:
    supervisor.start(ProcessSpec(name="a", argv=FOREVER))
    with pytest.raises(ProcessAlreadyRunning):
        supervisor.start(ProcessSpec(name="a", argv=FOREVER))


def test_everything_is_stopped_in_reverse_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    with Supervisor(tmp_path) as supervisor:
        for name in ("first", "second", "third"):
            up = tmp_path / name
            script = f"trap 'echo {name} >> {order}; exit' TERM; touch {up}; while :; do sleep 0.01; done"
            supervisor.start(_shell(name, script, ready=up.exists))
    assert order.read_text().split() == ["third", "second", "first"]


def test_a_process_deaf_to_its_stop_signal_is_killed(tmp_path: Path) -> None:
    up = tmp_path / "up"
    supervisor = Supervisor(tmp_path)
    script = f"trap '' TERM; touch {up}; while :; do sleep 0.01; done"
    supervisor.start(_shell("deaf", script, ready=up.exists, stop_within=timedelta(seconds=0.2)))
    pid = supervisor.pid("deaf")
    supervisor.stop_all()
    assert not _alive(pid)


def test_the_environment_is_added_to_ours(supervisor: Supervisor, tmp_path: Path) -> None:
    said = tmp_path / "said"
    spec = ProcessSpec(
        name="a",
        argv=("sh", "-c", f'echo "$WORD $HOME" > {said}.tmp; mv {said}.tmp {said}; sleep 1000'),
        env={"WORD": "hello"},
        ready=said.exists,
    )
    supervisor.start(spec)
    assert said.read_text() == f"hello {os.environ['HOME']}\n"


PARENT = """
import sys
from pathlib import Path
from hearthwatch.services.embedded import EmbeddedPostgres
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.supervisor import Supervisor
from hearthwatch.services.timescale import Timescale

supervisor = Supervisor(Path(sys.argv[1]))
supervisor.start(ProcessSpec(name="plain", argv=("sleep", "1000")))
servers = [Mosquitto(), EmbeddedPostgres(), Timescale()]
for server in servers:
    supervisor.start(server.process())
print(*(supervisor.pid(name) for name in supervisor.names()), flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("timescale_server", "plain_server")
def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 4
        assert all(_alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    _until(lambda: not any(_alive(pid) for pid in pids))


def _shell(name: str, script: str, **fields: object) -> ProcessSpec:
    return ProcessSpec(name=name, argv=("sh", "-c", script), **fields)  # type: ignore[arg-type]


def _never() -> bool:
    return False


def _alive(pid: int) -> bool:
    """Say whether the process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE.total_seconds()
    while not condition():
        if time.monotonic() > end:
            raise ProcessError("not within the test's patience")
        time.sleep(0.02)
