"""What a county's gateways send, made without any code of the gateway: the same readings in three forms."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

import numpy as np

from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.topics import Leaf, topic
from vitals.wire import DeviceEntry, Header, pack_block
from vitals.wire_json import VERSION

_NAMESPACE = UUID("6f7c3a52-9c0e-4c43-9f0a-6d3c1a54e0aa")
_PACKED_ROW = np.dtype(
    [("offset", "<u2"), ("device", "u1"), ("signal", "u1"), ("value", "<i2"), ("quality", "u1"), ("reason", "u1")]
)
_SIGNALS = (Signal.SPO2, Signal.PULSE, Signal.PERFUSION_INDEX, Signal.TEMPERATURE)
_USUAL = {Signal.SPO2: 9600, Signal.PULSE: 7200, Signal.PERFUSION_INDEX: 450, Signal.TEMPERATURE: 3660}


class Form(StrEnum):
    """How readings are sent: packed, as JSON columns, or one JSON message a reading as is common elsewhere."""

    PACKED = "packed"
    JSON = "json"
    JSON_SINGLE = "json_single"


@dataclass(frozen=True, slots=True, kw_only=True)
class County:
    """So many gateways with so many devices each, of so many signals, one sample every so many ms."""

    gateways: int = 1000
    devices: int = 8
    signals: int = 2
    every_ms: int = 1000
    samples: int = 10
    """Samples of each device in a message: a message spans `samples * every_ms`."""

    @property
    def rows(self) -> int:
        """Say how many readings a message holds."""
        return self.devices * self.signals * self.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message: where to, what, and which rows of which outbox it holds."""

    topic: str
    payload: bytes
    outbox_id: UUID
    first_row: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Readings of one gateway before they become a message, or several."""

    gateway: int
    header: Header
    rows: np.ndarray


def gateway_name(number: int) -> str:
    """Name a gateway of the county."""
    return f"gw-{number:05d}"


def device_name(gateway: int, device: int) -> str:
    """Name a device of a gateway: its Bluetooth address."""
    return f"C0:{gateway >> 16 & 0xFF:02X}:{gateway >> 8 & 0xFF:02X}:{gateway & 0xFF:02X}:00:{device:02X}"


def messages(county: County, form: Form, *, run: str, t0_ms: int, seed: int) -> Iterator[Sent]:
    """Give the county's messages for ever, round after round of all its gateways; `run` names its outboxes."""
    for batch in batches(county, run=run, t0_ms=t0_ms, seed=seed):
        yield from _FORMS[form](gateway_name(batch.gateway), batch.header, batch.rows)


def batches(county: County, *, run: str, t0_ms: int, seed: int) -> Iterator[Batch]:
    """Give what the county's messages are made of, in their order."""
    rng = np.random.default_rng(seed)
    entries = [_entries(county, gateway) for gateway in range(county.gateways)]
    outboxes = [uuid5(_NAMESPACE, f"{run} {gateway}") for gateway in range(county.gateways)]
    for turn in itertools.count():
        at_ms = t0_ms + turn * county.samples * county.every_ms
        for gateway in range(county.gateways):
            header = Header(
                outbox_id=outboxes[gateway],
                first_row=turn * county.rows,
                boot_id=1,
                t0_ms=at_ms,
                sent_ms=at_ms + county.samples * county.every_ms,
                synchronised=True,
                backlog=True,
                offset_unit_ms=1,
                devices=entries[gateway],
            )
            yield Batch(gateway=gateway, header=header, rows=_rows(county, rng))


def _entries(county: County, gateway: int) -> tuple[DeviceEntry, ...]:
    return tuple(
        DeviceEntry(device=device_name(gateway, device), acquisition=Acquisition.CONTINUOUS)
        for device in range(county.devices)
    )


def _rows(county: County, rng: np.random.Generator) -> np.ndarray:
    rows = np.zeros(county.rows, _PACKED_ROW)
    sample, device, signal = np.unravel_index(np.arange(county.rows), (county.samples, county.devices, county.signals))
    rows["offset"] = sample * county.every_ms
    rows["device"] = device
    codes = np.array([SIGNALS[name].code for name in _SIGNALS], np.uint8)
    usual = np.array([_USUAL[name] for name in _SIGNALS], np.int16)
    rows["signal"] = codes[signal]
    rows["value"] = usual[signal] + 100 * rng.integers(-2, 3, county.rows)
    return rows


def _packed(gateway: str, header: Header, rows: np.ndarray) -> Iterator[Sent]:
    yield Sent(
        topic=topic(gateway, Leaf.READINGS),
        payload=pack_block(header, rows.tobytes()),
        outbox_id=header.outbox_id,
        first_row=header.first_row,
        rows=len(rows),
    )


def _json(gateway: str, header: Header, rows: np.ndarray) -> Iterator[Sent]:
    document = {
        **_document(header, header.first_row, header.devices),
        "offset_ms": rows["offset"].tolist(),
        "device": rows["device"].tolist(),
        "signal": [_NAMES[code] for code in rows["signal"].tolist()],
        "value": (rows["value"] / 100).tolist(),
    }
    yield _as_json(gateway, header.outbox_id, header.first_row, len(rows), document)


def _json_single(gateway: str, header: Header, rows: np.ndarray) -> Iterator[Sent]:
    for at, (offset, device, code, value, _, _) in enumerate(rows.tolist()):
        number = header.first_row + at
        document = {
            **_document(header, number, (header.devices[device],)),
            "offset_ms": [offset],
            "device": [0],
            "signal": [_NAMES[code]],
            "value": [value / 100],
        }
        yield _as_json(gateway, header.outbox_id, number, 1, document)


def _document(header: Header, first_row: int, devices: tuple[DeviceEntry, ...]) -> dict[str, object]:
    return {
        "version": VERSION,
        "outbox_id": str(header.outbox_id),
        "first_row": first_row,
        "boot_id": header.boot_id,
        "t0_ms": header.t0_ms,
        "sent_ms": header.sent_ms,
        "synchronised": header.synchronised,
        "backlog": header.backlog,
        "devices": [{"device": entry.device, "acquisition": "continuous"} for entry in devices],
    }


def _as_json(gateway: str, outbox_id: UUID, first_row: int, rows: int, document: dict[str, object]) -> Sent:
    return Sent(
        topic=topic(gateway, Leaf.READINGS_JSON),
        payload=json.dumps(document, separators=(",", ":")).encode(),
        outbox_id=outbox_id,
        first_row=first_row,
        rows=rows,
    )


_NAMES = {SIGNALS[name].code: str(name) for name in _SIGNALS}
_FORMS = {Form.PACKED: _packed, Form.JSON: _json, Form.JSON_SINGLE: _json_single}
