"""What was done to get well, counted across restarts and reboots: recovery.json beside the outbox."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from gateway.box.atomic_file import replace_file
from gateway.recovery.ladder import Cause, Rung
from gateway.recovery.state import LastRung, RecoveryState

log = structlog.get_logger()


class RecoveryLog:
    """One small file, written when a rung is taken: seldom. One that can not be read or written costs only counts."""

    def __init__(self, path: Path) -> None:
        self.state = RecoveryState()
        self._path = path

    def read(self) -> None:
        """Go on counting where the last life stopped."""
        try:
            self.state = _state(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
            log.error(
                "counts of recovery begin at zero, their file is unreadable", file=str(self._path), error=str(exc)
            )

    def taken(self, last: LastRung) -> None:
        """Count a rung, before it is taken: a reboot leaves no time afterwards."""
        count = self.state.taken.get(last.rung, 0) + 1
        self._write(replace(self.state, taken={**self.state.taken, last.rung: count}, last=last))

    def refused(self) -> None:
        """Count that the machine did not let us."""
        self._write(replace(self.state, refused=self.state.refused + 1))

    def _write(self, state: RecoveryState) -> None:
        self.state = state
        try:
            replace_file(self._path, _text(state), durable=True)
        except OSError as exc:
            log.error("counts of recovery are not on the disk", file=str(self._path), error=str(exc))


def recovery_path(outbox: Path) -> Path:
    """Say where the log of an outbox's gateway lies."""
    return outbox.with_name("recovery.json")


def _text(state: RecoveryState) -> bytes:
    last = state.last
    document = {
        "taken": {rung.value: count for rung, count in state.taken.items()},
        "refused": state.refused,
        "last": last
        and {
            "rung": last.rung.value,
            "because": last.because.value,
            "adapter": last.adapter,
            "at": last.at.isoformat(),
        },
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _state(document: dict[str, Any]) -> RecoveryState:
    last = document["last"]
    return RecoveryState(
        taken={Rung(name): int(count) for name, count in document["taken"].items()},
        refused=int(document["refused"]),
        last=last
        and LastRung(
            rung=Rung(last["rung"]),
            because=Cause(last["because"]),
            adapter=str(last["adapter"]),
            at=datetime.fromisoformat(last["at"]),
        ),
    )
