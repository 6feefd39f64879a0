"""A night's SpO2 as a small picture: steps at the lowest of each, with nothing where nothing was recorded (core)."""

from collections.abc import Sequence

TOP, BOTTOM = 10_000, 7_000
"""The picture's upper and lower edge in hundredths of a percent; what is lower is drawn at the lower edge."""

HEIGHT = 30
LINE = 9_000
"""Where the picture's dashed line is."""


def height_of(value: int) -> float:
    """Give how far from the top a value lies."""
    return HEIGHT * (TOP - min(max(value, BOTTOM), TOP)) / (TOP - BOTTOM)


def path_of(picture: Sequence[int | None]) -> str:
    """Draw an SVG path, one unit wide each step; a step without a value breaks it."""
    parts: list[str] = []
    before: int | None = None
    for at, value in enumerate(picture):
        if value is not None:
            parts.append(f"{f'M{at} ' if before is None else 'V'}{height_of(value):.1f}H{at + 1}")
        before = value
    return "".join(parts)
