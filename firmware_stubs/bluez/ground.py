"""What all objects of one bluetoothd share."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_stubs.bluez.object_tree import ObjectTree
from firmware_stubs.bluez.timings import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The bus and the settings of one bluetoothd."""

    tree: ObjectTree
    timings: Timings
