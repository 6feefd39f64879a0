"""What bluetoothd writes to /var/lib/bluetooth: the devices that were not only passing by, and the keys of bonds."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from bumble.keys import JsonKeyStore, KeyStore, MemoryKeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device that is shown again after a restart, heard or not."""

    address: str
    is_public: bool
    name: str | None
    uuids: tuple[str, ...]
    is_trusted: bool


class Storage:
    """One folder for all adapters; without a folder nothing outlives the process."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def keystore(self, adapter: str) -> KeyStore:
        """Return where an adapter's bonds are kept."""
        if self._folder is None:
            return MemoryKeyStore()
        return JsonKeyStore(adapter, str(self._folder / "keys.json"))

    def read_devices(self, adapter: str) -> list[KnownDevice]:
        """List the devices that an adapter knew."""
        path = self._path(adapter)
        if path is None or not path.exists():
            return []
        listed = json.loads(path.read_text(encoding="utf-8"))
        return [KnownDevice(**{**entry, "uuids": tuple(entry["uuids"])}) for entry in listed]

    def write_devices(self, adapter: str, devices: list[KnownDevice]) -> None:
        """Keep the devices that an adapter knows."""
        if path := self._path(adapter):
            written = path.with_suffix(".new")
            written.write_text(json.dumps([dataclasses.asdict(device) for device in devices]), encoding="utf-8")
            written.replace(path)

    def _path(self, adapter: str) -> Path | None:
        return None if self._folder is None else self._folder / f"{adapter}.json"
