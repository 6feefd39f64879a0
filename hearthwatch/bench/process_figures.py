"""What the kernel counts: of a process the processor time, memory, bytes written (proc(5)); of the machine its load."""

import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_INSTALLED = "site-packages"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One look at a process; `cpu_s` and `written_bytes` count from its start."""

    at_s: float
    cpu_s: float
    rss_bytes: int
    rss_bytes_max: int
    written_bytes: int


def figures(pid: int) -> Figures:
    """Look at a process. Raises OSError where it is gone."""
    proc = Path("/proc") / str(pid)
    stat = proc.joinpath("stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in proc.joinpath("status").read_text().splitlines() if ":" in line)
    io = dict(line.split(": ") for line in proc.joinpath("io").read_text().splitlines())
    return Figures(
        at_s=time.monotonic(),
        cpu_s=(int(stat[11]) + int(stat[12])) / TICKS_PER_S,
        rss_bytes=_kib(status["VmRSS"]),
        rss_bytes_max=_kib(status["VmHWM"]),
        written_bytes=int(io["write_bytes"]) - int(io["cancelled_write_bytes"]),
    )


def libraries(pid: int) -> set[str]:
    """Name what a process has loaded of installed packages: each has extension modules, mapped from their folder."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    mapped = (Path(line.split(maxsplit=5)[5]).parts for line in lines if ".so" in line)
    return {parts[parts.index(_INSTALLED) + 1] for parts in mapped if _INSTALLED in parts}


def machine() -> dict[str, object]:
    """Say what kind of machine this is and how busy others keep it: figures without that mean little."""
    memory = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(_kib(memory["MemTotal"]) / 1e9, 1),
        "python": platform.python_version(),
        "load_average": load_average(),
    }


def load_average() -> list[float]:
    """Give how many processes wanted to run in the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def _kib(field: str) -> int:
    return int(field.split()[0]) * 1024


def family_cpu_s(pid: int) -> float:
    """Give the processor time of a process, of the children it has waited for, and of those that live."""
    parents: dict[int, list[tuple[int, float]]] = {}
    own = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = entry.joinpath("stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile; its parent counts it from now on
            continue
        used_s = sum(map(int, stat[11:15])) / TICKS_PER_S
        parents.setdefault(int(stat[1]), []).append((int(entry.name), used_s))
        if int(entry.name) == pid:
            own = used_s
    total, left = own, [pid]
    while left:
        for child, used_s in parents.get(left.pop(), ()):
            total += used_s
            left.append(child)
    return total
