"""`hearthwatch gateway decode`: what a characteristic's payload, or a maker's notifications, mean, as JSON."""

import json
import re
import string
from typing import Annotated

import typer

from gateway.command.end import fail
from gateway.drivers.driver import Driver
from gateway.drivers.framing import Stream
from gateway.drivers.table import BLUETOOTH_SIG, DRIVER_BY_NAME
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import short_uuid
from vitals.reading import unscaled
from vitals.signals import SIGNALS

_SEPARATORS = re.compile(r"[:\s-]")


def decode(
    uuid: Annotated[str, typer.Argument(help="characteristic: 2a5f, 0x2A5F or all 128 bits")],
    payload: Annotated[list[str], typer.Argument(metavar="HEX...", help="its bytes; one more is one more payload")],
    driver: Annotated[
        str | None, typer.Option(help=f"a maker's device: {', '.join(DRIVER_BY_NAME)}", show_default=False)
    ] = None,
) -> None:
    """Print what a payload means: one line of JSON for each.

    Without --driver each HEX is a payload of a Bluetooth SIG characteristic.
    With --driver the HEX are the notifications of one link, in order: the
    driver puts them together to frames, and each frame is a line.

    A value is null where the device has none. quality and reasons say how far
    to trust it and why not further, the most serious reason first. measured_at
    is the device's own clock, without a zone. A malformed payload is named on
    stderr with its byte; the command then ends with 2, once the others are
    printed.

    Bytes may stand as 0061004800, 0x0061004800, 00:61:00:48:00 or 00-61-00-48-00.

    \b
    hearthwatch gateway decode 2a5f 0061004800    oximeter: 97 %, 72 /min
    hearthwatch gateway decode 2a1c 00700100ff    thermometer: 36.8 °C
    hearthwatch gateway decode 2a37 163c1104      heart rate, one beat's length
    hearthwatch gateway decode 2a52 05000c00      12 records are stored
    hearthwatch gateway decode 2a29 4e6f6e696e    who made the device
    hearthwatch gateway decode --driver bluetooth_sig 2a5f 0061004800 0060004700
    """
    chosen = BLUETOOTH_SIG if driver is None else _named(driver)
    short = short_uuid(uuid)
    if chosen is not BLUETOOTH_SIG:
        _check_heard(chosen, short)
    framing = chosen.framing()
    notifications = [_raw(text, number, of=len(payload)) for number, text in enumerate(payload, 1)]
    frames = [frame for notification in notifications for frame in framing.feed(short, notification)]
    malformed: list[str] = []
    for number, frame in enumerate(frames, 1):
        try:
            typer.echo(json.dumps(described(chosen.decode(short, frame)), ensure_ascii=False))
        except DecodeError as exc:
            malformed.append(_nth("frame", number, of=len(frames)) + str(exc))
    if not frames:
        rest = framing.rest if isinstance(framing, Stream) else ""
        malformed = [f"{chosen.name}: no whole frame in {len(payload)} notification(s): {rest or 'they are empty'}"]
    if malformed:
        fail("\n".join(malformed))


def described(decoded: Decoded) -> dict[str, object]:
    """Give a decoded payload as the JSON document of `decode`."""
    return {
        "readings": [
            {
                "signal": m.signal.value,
                "value": None if m.value is None else unscaled(m.signal, m.value),
                "unit": SIGNALS[m.signal].unit,
                "quality": m.quality.name.lower(),
                "reasons": [reason.name.lower() for reason in m.reasons],
            }
            for m in decoded.measurements
        ],
        "measured_at": decoded.device_time.isoformat() if decoded.device_time else None,
        "status": list(decoded.status),
    }


def _named(name: str) -> Driver:
    if name not in DRIVER_BY_NAME:
        fail(f"--driver {name}: there is none of this name; there are {', '.join(DRIVER_BY_NAME)}")
    return DRIVER_BY_NAME[name]


def _check_heard(driver: Driver, uuid: str) -> None:
    heard = (*driver.subscribe, *driver.advertised)
    if uuid not in heard:
        fail(f"--driver {driver.name}: it does not listen to {uuid}; it listens to {', '.join(heard)}")


def _raw(text: str, number: int, *, of: int) -> bytes:
    digits = _SEPARATORS.sub("", text.removeprefix("0x").removeprefix("0X"))
    where = _nth("payload", number, of=of, alone="payload")
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    for place, pair in enumerate(pairs):
        if not set(pair) <= set(string.hexdigits):
            fail(f"{where}byte {place} is {pair!r}: no hexadecimal (0-9, a-f)")
    if len(digits) % 2:
        fail(f"{where}byte {len(pairs) - 1} is only {pairs[-1]!r}: {len(digits)} hexadecimal digits, a byte has two")
    return bytes.fromhex(digits)


def _nth(what: str, number: int, *, of: int, alone: str = "") -> str:
    """Name one of several, and a single one only by `alone`."""
    name = f"{what} {number}" if of > 1 else alone
    return f"{name}: " if name else ""
