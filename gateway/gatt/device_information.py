"""Device Information Service 0x180A: who made the device and which one it is, each a UTF-8 string, as a status word."""

from collections.abc import Callable
from functools import partial

from gateway.gatt.decoded import Decoded, Mode
from gateway.gatt.fields import Fields

STRINGS: dict[str, str] = {
    "2a29": "manufacturer",
    "2a24": "model",
    "2a25": "serial",
    "2a26": "firmware",
    "2a27": "hardware",
    "2a28": "software",
}


def decoder_of(uuid: str) -> Callable[[bytes], Decoded]:
    """Give the decoder of one of STRINGS."""
    return partial(_decode, uuid)


def _decode(uuid: str, payload: bytes) -> Decoded:
    text = read_string(uuid, payload)
    return Decoded(mode=Mode.SPOT, measurements=(), status=(f"{STRINGS[uuid]}={text}",))


def read_string(uuid: str, payload: bytes) -> str:
    """Read a string: the padding many makers send (zeros, blanks) is taken off, what is no print is made visible."""
    fields = Fields(uuid, payload)
    try:
        text = fields.rest().decode()
    except UnicodeDecodeError as exc:
        raise fields.error(exc.start, f"{STRINGS[uuid]} is no UTF-8: {exc.reason}") from exc
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.strip("\0 \t\r\n"))
