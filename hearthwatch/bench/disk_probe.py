"""How long the disk takes for a page of nobody's: beside a figure that waits for the disk, what the disk itself took.

A shared disk stalls when others flush theirs; this tells such a stall from one of our own making.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY_S = 0.1
PAGE = bytes(4096)


@contextmanager
def bare_fdatasync_ms(folder: Path) -> Iterator[list[float]]:
    """Write a page and fdatasync it ten times a second; the durations grow in the list that is given."""
    took_ms: list[float] = []
    stop = threading.Event()
    file = os.open(folder / "disk-probe", os.O_CREAT | os.O_WRONLY)

    def probe() -> None:
        while not stop.wait(EVERY_S):
            began_s = time.perf_counter()
            os.pwrite(file, PAGE, 0)
            os.fdatasync(file)
            took_ms.append((time.perf_counter() - began_s) * 1000)

    thread = threading.Thread(target=probe, name="disk probe", daemon=True)
    thread.start()
    try:
        yield took_ms
    finally:
        stop.set()
        thread.join()
        os.close(file)
