"""Accepts groups of readings one after the other and tells each on stdout once accept has returned; to be traced."""

import os
import sys
from pathlib import Path

from gateway.outbox.outbox import Outbox
from tests.gateway.outbox_rows import BIG, readings


def main(path: Path, groups: int, size: int) -> None:
    """Accept so many groups of so many readings."""
    outbox = Outbox(path, bytes_max=BIG, undecoded_max=10)
    os.write(1, b"begin\n")
    for group in range(groups):
        accepted = outbox.accept(readings(size, first=group * size))
        assert accepted is not None
        os.write(1, f"accepted {accepted.first} {accepted.end}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
