"""docs/rigs.md can be followed: what it says to type in four terminals ends with readings in an outbox."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ingest.service import wait_until

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "rigs.md").read_text()
FOLDER = "/tmp/rig"
BLOCKS = [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", PAGE, flags=re.M)]


@pytest.mark.skipif(shutil.which("dbus-daemon") is None and not os.environ.get("CI"), reason="no dbus-daemon")
def test_the_four_terminals_make_a_gateway_read(tmp_path: Path) -> None:
    (typed,) = [block for block in BLOCKS if block.startswith("mkdir")]
    (scenario,) = [block for block in BLOCKS if block.startswith("[[device]]")]
    (tmp_path / "ward.toml").write_text(scenario)
    rig = tmp_path / "rig"
    make, *terminals = typed.replace(FOLDER, str(rig)).splitlines()
    subprocess.run(make, shell=True, check=True)
    outputs = [rig / "air", rig / "bus", None, None]
    with contextlib.ExitStack() as running:
        for terminal, output in zip(terminals, outputs, strict=True):
            running.enter_context(typed_in(terminal, tmp_path))
            if output is not None:
                wait_until(output.exists, f"{output.name} is there")
        wait_until(lambda: accepted(tmp_path) > 0, "a reading is in the outbox")


@contextmanager
def typed_in(line: str, folder: Path) -> Iterator[None]:
    """Run a line as a terminal in the folder would, with this Python and this tree's commands."""
    python = f"{sys.executable} -m hearthwatch" if "hearthwatch gateway" in line else sys.executable
    line = line.replace("hearthwatch gateway", f"{python} gateway").replace("python -m firm", f"{python} -m firm")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(f"exec env {line}", shell=True, cwd=folder, env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


def accepted(folder: Path) -> int:
    """Ask as the page says."""
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "gateway", "status"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HEARTHWATCH_GATEWAY_GATEWAY_ID": "gw-rig"},
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return int(json.loads(done.stdout)["outbox"]["accepted"]) if done.returncode == 0 else 0
