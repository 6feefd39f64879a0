"""Writes what the engine's bench measured as tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

_RUNS = (
    "engine",
    "patients",
    "tables",
    "batch",
    "stream",
    "channels",
    "M/s",
    "M/s wall",
    "p50 ms",
    "p99 ms",
    "B/patient",
)
_PEERS = ("peer", "version", "M/s", "= oracle", "form")


def tables(document: Document) -> list[str]:
    """Give the lines: runs, then peers, then the memory's limit and the ratios."""
    ratios = ", ".join(f"{name.replace('_', ' ')} {ratio:g}" for name, ratio in document["ratios"].items())
    return [
        *_aligned(_RUNS, map(_run, document["runs"])),
        "",
        *_aligned(_PEERS, map(_peer, document["peers"])),
        "",
        f"random 64-byte records a core can change: {_millions(document['limit_per_s'])} M/s ({document['limit_how']})",
        f"ratios: {ratios}",
    ]


def _run(run: Document) -> Sequence[str]:
    return (
        run["engine"],
        f"{run['patients']:,}",
        f"{run['tables']}",
        f"{run['batch']:,}",
        run["stream"],
        "+".join(run["channels"]),
        _millions(run["readings_per_s"]),
        _millions(run["readings_per_s_wall"]),
        f"{run['p50_ms']:.3g}",
        f"{run['p99_ms']:.3g}",
        "" if run["bytes_per_patient"] is None else f"{run['bytes_per_patient']:g}",
    )


def _peer(peer: Document) -> Sequence[str]:
    but = ", ".join(peer["approximate_rules"])
    equal = ("yes" if peer["equal"] else "NO") + (f", but {but}" if but else "")
    return peer["name"], peer["version"], _millions(peer["readings_per_s"]), equal, peer["form"]


def _millions(number: float) -> str:
    return f"{number / 1e6:.3g}"


def _aligned(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
