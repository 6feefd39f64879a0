"""Somebody looks into the outbox of a running gateway, as `gateway status` does: the gateway must not notice."""

import subprocess
import sys
from pathlib import Path

from gateway.outbox.account import read_account
from gateway.outbox.outbox import Outbox
from tests.gateway.outbox_rows import BIG, readings

REPOSITORY = Path(__file__).resolve().parents[3]
GROUPS = 400
GATEWAY = """
import sys
from pathlib import Path
from gateway.outbox.outbox import Outbox
from tests.gateway.outbox_rows import BIG, readings
outbox = Outbox(Path(sys.argv[1]), bytes_max=BIG, undecoded_max=10)
for group in range(int(sys.argv[2])):
    print(outbox.accept(readings(1, first=group)).end - 1, flush=True)
"""


def test_a_reader_neither_ends_the_gateway_nor_sees_less_than_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    before = Outbox(path, bytes_max=BIG, undecoded_max=10)
    before.accept(readings(10))
    before.close()
    command = [sys.executable, "-c", GATEWAY, str(path), str(GROUPS)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        for told in gateway.stdout:
            assert read_account(path)[0].accepted >= int(told)
    assert gateway.returncode == 0
    assert read_account(path)[0].accepted == 10 + GROUPS
