"""A short run of the fuzzer as part of the suite, the same every time; longer ones are run by hand."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.drivers.table import DRIVERS
from gateway.gatt.decoders import DECODERS

REPOSITORY = Path(__file__).resolve().parents[2]
RUNS = 20_000


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has wheels for x86-64 Linux only")
def test_nothing_a_device_may_send_breaks_a_decoder_or_a_driver(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.decoders", f"--runs={RUNS}", "--seed=1", f"--keep={tmp_path}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-8000:]
    document = json.loads(done.stdout)
    share = -(-RUNS // len(document["targets"]))
    assert document["targets"] == dict.fromkeys([*DECODERS, *(driver.name for driver in DRIVERS)], share)
    assert min(document["decoded"], document["refused"], document["measurements"], document["answers"]) > 0
