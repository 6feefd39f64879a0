"""A process that accepts readings without end and tells over stdout what was accepted; it is there to be killed."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.outbox import Outbox
from gateway.placing import Stamped
from vitals.reading import Reading
from vitals.signals import Signal


def main(path: Path) -> None:
    """Accept batches of 1 to 7 readings whose value is their row number modulo 10000."""
    outbox = Outbox(path, bytes_max=1 << 30, undecoded_max=10)
    size = 0
    while True:
        size = size % 7 + 1
        first = outbox.account().end_row
        rows = [
            Stamped(
                reading=Reading(
                    device="AA", signal=Signal.SPO2, measured_at=datetime.now(UTC), value=(first + n) % 10_000
                ),
                mono_ms=0,
                boot_id=1,
                synchronised=True,
            )
            for n in range(size)
        ]
        accepted = outbox.accept(rows)
        assert accepted is not None
        os.write(1, f"{accepted.first} {accepted.end}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
