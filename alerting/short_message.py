"""How a notice is said in a short message: what may be left out, and what never is (core)."""

SEGMENT_UNITS = 70
"""UTF-16 units of a message that is sent as one (3GPP TS 23.038, UCS-2)."""

PART_UNITS = 67
"""... and of each part of a longer one."""


def units(text: str) -> int:
    """Count UTF-16 units, as networks do."""
    return len(text.encode("utf-16-be")) // 2


def units_max(segments: int) -> int:
    """Give how long a text of so many segments may be."""
    return SEGMENT_UNITS if segments == 1 else PART_UNITS * segments


def short_text(title: str, body: str, *, segments: int) -> str:
    """Say a notice in at most so many segments; the last to stay, over any limit, are title in Chinese and link.

    A notice's title is "【priority】initials bed rule / rule in English"; its body is a line in Chinese, one in
    English, and the link (alerting/words.py). Left out in this order: the English line, the English rule, the Chinese
    line.
    """
    lines = body.splitlines()
    link = lines.pop() if lines and "://" in lines[-1] else ""
    chinese_title = title.partition(" / ")[0]
    ways = (
        [title, *lines, link],
        [title, *lines[:1], link],
        [chinese_title, *lines[:1], link],
        [chinese_title, link],
    )
    texts = ["\n".join(part for part in way if part) for way in ways]
    return next((text for text in texts if units(text) <= units_max(segments)), texts[-1])
