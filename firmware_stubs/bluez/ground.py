"""What all objects of one bluetoothd share."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_stubs.bluez.agents import Agents
from firmware_stubs.bluez.faults import Faults
from firmware_stubs.bluez.object_tree import ObjectTree
from firmware_stubs.bluez.storage import Storage
from firmware_stubs.bluez.timings import Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The bus, the settings, the memory and the troubles of one bluetoothd."""

    tree: ObjectTree
    timings: Timings
    agents: Agents
    faults: Faults
    storage: Storage
