"""The book of claims on disk: claims.json beside the outbox, changed whole, by the gateway and by a technician."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.box.atomic_file import READABLE_BY_ALL, replace_file
from gateway.claims.claims import Book, BookError, book_text, parse_book

SET_ASIDE_MAX = 5
_LOCK_S_MAX = 5.0
_LOCK_AGAIN_S = 0.05

Version = tuple[int, int, int] | None
"""What changes whenever the file does; None while there is none."""


class BookUnavailable(Exception):
    """The book can not be read or written now; the message names the file and why. It may be tried again."""


def book_path(outbox: Path) -> Path:
    """Say where the book of an outbox's gateway lies."""
    return outbox.with_name("claims.json")


class ClaimBook:
    """One file; any number of processes may read it, they change it one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def set_aside(self) -> int:
        """Count the unreadable books kept beside this one."""
        return len(self._asides())

    def version(self) -> Version:
        """Look whether the file has changed since."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino, stat.st_size

    def read(self) -> Book:
        """Read it; none is an empty one, an unreadable one is set aside and counts as none. Raises BookUnavailable."""
        try:
            return self._read()
        except BookError:
            with self._locked():
                return self._read_or_set_aside()

    def change(self, how: Callable[[Book], Book]) -> Book:
        """Change it, on the disk on return. Raises BookUnavailable, and whatever `how` raises, with nothing done."""
        with self._locked():
            before = self._read_or_set_aside()
            after = how(before)
            if after != before:
                try:
                    replace_file(self.path, book_text(after), durable=True)
                except OSError as exc:
                    raise BookUnavailable(f"{self.path}: {exc.strerror or exc}") from exc
            return after

    def _read(self) -> Book:
        try:
            return parse_book(self.path.read_bytes())
        except FileNotFoundError:
            return Book()
        except OSError as exc:
            raise BookUnavailable(f"{self.path}: {exc.strerror or exc}") from exc

    def _read_or_set_aside(self) -> Book:
        try:
            return self._read()
        except BookError:
            earlier = self._asides()
            for old in earlier[: max(0, len(earlier) + 1 - SET_ASIDE_MAX)]:
                old.unlink(missing_ok=True)
            number = int(earlier[-1].name.rpartition("-")[2]) + 1 if earlier else 1
            try:
                self.path.rename(self.path.with_name(f"{self.path.name}.unreadable-{number}"))
            except OSError as exc:
                raise BookUnavailable(f"{self.path} is unreadable and stays: {exc.strerror or exc}") from exc
            return Book()

    def _asides(self) -> list[Path]:
        found = self.path.parent.glob(f"{self.path.name}.unreadable-*[0-9]")
        return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out; one that holds on for too long is an error and not a wait without end."""
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, READABLE_BY_ALL)
        except OSError as exc:
            raise BookUnavailable(f"{lock}: {exc.strerror or exc}") from exc
        try:
            with suppress(PermissionError):  # somebody else's: its maker has seen to it
                os.fchmod(handle, READABLE_BY_ALL)
            _take(handle, lock)
            yield
        finally:
            os.close(handle)


def _take(handle: int, lock: Path) -> None:
    ends_at = time.monotonic() + _LOCK_S_MAX
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > ends_at:
                raise BookUnavailable(f"{lock} is held by another process") from exc
            time.sleep(_LOCK_AGAIN_S)
        else:
            return
