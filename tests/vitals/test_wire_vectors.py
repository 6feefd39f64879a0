"""The vectors of docs/wire-format.md, byte for byte, against values typed here by hand."""

import re
from pathlib import Path
from uuid import UUID

import pytest

from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS
from vitals.wire import DeviceEntry, Header, Row, pack, rows_of, unpack

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "wire-format.md").read_text(encoding="utf-8")
VECTORS = {
    name: bytes.fromhex("".join(line.split(";")[0] for line in body.splitlines()))
    for name, body in re.findall(r"```vector (\w+)\n(.*?)```", PAGE, re.DOTALL)
}


def header(**changes: object) -> Header:
    values: dict[str, object] = {
        "outbox_id": UUID("00112233-4455-6677-8899-aabbccddeeff"),
        "first_row": 1,
        "boot_id": 0xDEADBEEF,
        "t0_ms": 1767225600000,
        "sent_ms": 1767225600500,
        "synchronised": True,
        "backlog": False,
        "offset_unit_ms": 1,
        "devices": (DeviceEntry(device="C0:00:00:00:00:01", acquisition=0),),
    }
    return Header(**values | changes)  # type: ignore[arg-type]


def row(offset: int, device: int, signal: int, value: int, quality: int = 0, reason: int = 0) -> Row:
    return Row(offset=offset, device_index=device, signal_code=signal, value=value, quality=quality, reason=reason)


MEANINGS = {
    "good_spo2": (header(), [row(0, 0, 1, 9700)]),
    "two_devices": (
        header(
            outbox_id=UUID("ffffffff-0000-4000-8000-000000000001"),
            first_row=2**32,
            boot_id=7,
            sent_ms=1767225609750,
            devices=(DeviceEntry(device="AA", acquisition=0), DeviceEntry(device="体", acquisition=1)),
        ),
        [row(0, 0, 1, 9260), row(1, 0, 2, NO_VALUE, 3, 9), row(65535, 1, 4, 3910, 1, 1)],
    ),
    "stored_backlog": (
        header(
            first_row=42,
            boot_id=0,
            t0_ms=1766966400000,
            sent_ms=1767225660000,
            synchronised=False,
            backlog=True,
            offset_unit_ms=1000,
            devices=(DeviceEntry(device="BB", acquisition=2),),
        ),
        [row(0, 0, 4, 3860), row(14400, 0, 4, 3851)],
    ),
}


def test_the_page_has_exactly_these_vectors() -> None:
    assert set(VECTORS) == set(MEANINGS)
    assert {name: len(payload) for name, payload in VECTORS.items()} == {
        "good_spo2": 82,
        "two_devices": 88,
        "stored_backlog": 75,
    }


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_a_vector_is_written_byte_for_byte(name: str) -> None:
    assert pack(*MEANINGS[name]).hex() == VECTORS[name].hex()


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_a_vector_is_read(name: str) -> None:
    message = unpack(VECTORS[name])
    assert (message.header, rows_of(message)) == MEANINGS[name]


def test_the_page_names_every_signal_reason_quality_and_acquisition_with_its_number() -> None:
    words = re.sub(r"\s+", " ", PAGE)
    for signal, spec in SIGNALS.items():
        assert f"{spec.code} {signal.value} " in words
    for reason in Reason:
        assert f"{reason.value} {reason.name.lower()}" in words
    for quality in Quality:
        assert f"{quality.value} {quality.name.lower()}" in words
    for acquisition in Acquisition:
        assert f"{acquisition.value} {acquisition.name.lower()}" in words
