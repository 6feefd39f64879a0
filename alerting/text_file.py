"""Reads a text file that somebody named; what is wrong with it is said with its name and a way out."""

from pathlib import Path


class UnreadableFile(ValueError):
    """A file can not be read as text; the message names it and why."""


def read_text(path: Path) -> str:
    """Read a whole file of UTF-8 text. Raises UnreadableFile."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UnreadableFile(f"{path}: {why_unreadable(exc)}") from exc


def why_unreadable(exc: OSError | UnicodeDecodeError) -> str:
    """Say in words why a file could not be read."""
    if isinstance(exc, UnicodeDecodeError):
        return f"is no UTF-8 text (byte 0x{exc.object[exc.start]:02x} at {exc.start}); is it the right file?"
    return exc.strerror.lower() if exc.strerror else str(exc)
