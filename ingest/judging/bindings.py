"""Who wore a device at an instant: the registry's binding intervals as sorted arrays, resolved for a batch at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
_MS_BITS = 43
_MS_MAX: int = (1 << _MS_BITS) - 1
"""The last instant a key can hold: year 2248."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One line of the registry: this patient wore this device from `valid_from` on, before `valid_until`."""

    device_id: int
    patient_id: int
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """The registry as ingest needs it, at one version of it."""

    version: int
    gateways: frozenset[str]
    simulators: frozenset[str]
    """Gateways of simulator sites."""
    device_id: dict[str, int]
    _keys: NDArray[np.int64]
    _ends_ms: NDArray[np.int64]
    _patients: NDArray[np.int64]
    _places: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        *,
        version: int,
        gateways: Iterable[str],
        devices: dict[str, int],
        bindings: Iterable[Binding],
        simulators: Iterable[str] = (),
    ) -> "Bindings":
        """Sort the registry's lines; devices are numbered by place so that (device, instant) fits one int64."""
        places = np.array(sorted(devices.values()), np.int64)
        lines = [
            (
                int(np.searchsorted(places, line.device_id)) << _MS_BITS | _ms(line.valid_from, 0),
                _ms(line.valid_until, _MS_MAX),
                line.patient_id,
            )
            for line in bindings
        ]
        keys, ends, patients = np.array(sorted(lines), np.int64).reshape(-1, 3).T
        return cls(
            version=version,
            gateways=frozenset(gateways),
            simulators=frozenset(simulators),
            device_id=devices,
            _keys=keys,
            _ends_ms=ends,
            _patients=patients,
            _places=places,
        )

    def line(self, devices: NDArray[np.integer], at_ms: NDArray[np.int64]) -> NDArray[np.intp]:
        """Give the number of the line that binds each device at its instant, or -1."""
        if not len(self._keys):
            return np.full(len(devices), -1, np.intp)
        place = np.searchsorted(self._places, devices)
        at = np.clip(at_ms, 0, _MS_MAX)
        line = np.searchsorted(self._keys, place << _MS_BITS | at, side="right") - 1
        bound = (line >= 0) & (self._keys[line] >> _MS_BITS == place) & (at < self._ends_ms[line])
        known = self._places[np.minimum(place, len(self._places) - 1)] == devices
        return np.where(bound & known, line, -1)

    def patients(self, line: NDArray[np.intp]) -> NDArray[np.int64]:
        """Give whom these lines bind to, NOBODY for -1."""
        return np.append(self._patients, NOBODY)[line]

    def wearer(self, devices: NDArray[np.integer], at_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the patient each device was bound to at its instant, or NOBODY."""
        return self.patients(self.line(devices, at_ms))


def _ms(instant: datetime | None, unbounded: int) -> int:
    if instant is None:
        return unbounded
    return min(max(int(instant.timestamp() * 1000), 0), _MS_MAX)
