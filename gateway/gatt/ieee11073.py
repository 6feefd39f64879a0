"""IEEE 11073-20601 medical floats: SFLOAT (16 bit) and FLOAT (32 bit), base 10, two's complement exponent."""

from enum import Enum


class Special(Enum):
    """A value that is no number; the whole raw word says so (0xF7FF is an ordinary 204.7)."""

    NAN = "not a number"
    NRES = "not at this resolution"
    PLUS_INFINITY = "+infinity"
    MINUS_INFINITY = "-infinity"
    RESERVED = "reserved"


Number = float | Special

SFLOAT_SPECIALS: dict[int, Special] = {
    0x07FF: Special.NAN,
    0x0800: Special.NRES,
    0x07FE: Special.PLUS_INFINITY,
    0x0802: Special.MINUS_INFINITY,
    0x0801: Special.RESERVED,
}

FLOAT_SPECIALS: dict[int, Special] = {
    0x007FFFFF: Special.NAN,
    0x00800000: Special.NRES,
    0x007FFFFE: Special.PLUS_INFINITY,
    0x00800002: Special.MINUS_INFINITY,
    0x00800001: Special.RESERVED,
}


def sfloat(word: int) -> Number:
    """Read a raw 16-bit word: exponent in bits 15-12, mantissa in bits 11-0, both signed."""
    if word in SFLOAT_SPECIALS:
        return SFLOAT_SPECIALS[word]
    return _decimal(_signed(word & 0x0FFF, bits=12), _signed(word >> 12, bits=4))


def float32(word: int) -> Number:
    """Read a raw 32-bit word: exponent in byte 3, mantissa in bytes 2-0, both signed."""
    if word in FLOAT_SPECIALS:
        return FLOAT_SPECIALS[word]
    return _decimal(_signed(word & 0x00FFFFFF, bits=24), _signed(word >> 24, bits=8))


def _signed(raw: int, *, bits: int) -> int:
    return raw - (1 << bits) if raw >> (bits - 1) else raw


def _decimal(mantissa: int, exponent: int) -> float:
    """Divide rather than multiply by a negative power of ten: the quotient is the float nearest to the decimal."""
    return float(mantissa * 10**exponent) if exponent >= 0 else mantissa / 10**-exponent
