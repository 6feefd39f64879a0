"""Hears who claims what and tells the fleet: the centre by the config topic, a technician by the book.

One config waits at most: the newest counts. What the disk does not take holds in memory, and is written later.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from gateway.claims.book import BookUnavailable, ClaimBook, Version
from gateway.claims.claims import (
    Book,
    Claim,
    ClaimReport,
    Config,
    ConfigError,
    Merged,
    all_claims,
    parse_config,
    with_config,
)

LOOK_EVERY_S = 1.0
"""How long a technician's claim waits for the running gateway at most, machine seconds."""
REFUSED_CHARACTERS_MAX = 200

log = structlog.get_logger()

Apply = Callable[[tuple[Claim, ...]], None]


class ClaimDesk:
    """One task; `settings` are the devices named there, `now` gives clinical time."""

    def __init__(
        self, book: ClaimBook, *, settings: tuple[str, ...], devices_max: int, now: Callable[[], datetime]
    ) -> None:
        self._file = book
        self._settings = settings
        self._devices_max = devices_max
        self._now = now
        self._book = Book()
        self._version: Version = None
        self._unwritten: tuple[Config, datetime] | None = None
        self._heard: bytes | None = None
        self._refused: str | None = None
        self._applied = Merged(claims=(), left_out=())
        self._set_aside = book.set_aside
        self._trouble = ""
        self._wake = asyncio.Event()

    def hear(self, payload: bytes) -> None:
        """Take a config document as it came; one not yet looked at is replaced."""
        self._heard = payload
        self._wake.set()

    def report(self) -> ClaimReport:
        """Say how it stands."""
        config = self._book.config
        return ClaimReport(
            devices=len(self._applied.claims),
            left_out=len(self._applied.left_out),
            issued_at=config.issued_at if config else None,
            received_at=self._book.received_at,
            refused=self._refused,
            set_aside=self._set_aside,
        )

    async def run(self, apply: Apply, on_changed: Callable[[], None]) -> None:
        """Tell `apply` at once what is claimed, and again whenever that changes, for ever."""
        is_first = True
        while True:
            said = self._parse_heard()
            await self._look()
            await self._write()
            found = all_claims(self._settings, self._book, devices_max=self._devices_max)
            if is_first or found != self._applied:
                self._applied = found
                self._tell(found, apply)
                said = True
            if said and not is_first:
                on_changed()
            is_first = False
            await self._wait()

    def _parse_heard(self) -> bool:
        """Read what was heard, if anything was; a refused document leaves the former claims."""
        payload, self._heard = self._heard, None
        if payload is None:
            return False
        try:
            config = parse_config(payload)
        except ConfigError as exc:
            self._refused = str(exc)[:REFUSED_CHARACTERS_MAX]
            log.error("config refused, the former claims stand", error=str(exc))
            return True
        self._refused = None
        if config != self._book.config:
            log.info("config taken", devices=len(config.claims), issued_at=config.issued_at.isoformat())
            self._unwritten = (config, self._now())
        return True

    async def _look(self) -> None:
        """Read the book again where it is another than the one last read."""
        version = await asyncio.to_thread(self._file.version)
        if version == self._version:
            return
        try:
            found = await asyncio.to_thread(self._file.read)
        except BookUnavailable as exc:
            self._complain(str(exc))
            return
        known = self._book
        if found.config is None and known.config and known.received_at and self._unwritten is None:
            self._unwritten = known.config, known.received_at  # the file was lost under us: what we know goes back
        self._book, self._version = self._with_unwritten(found), version
        self._set_aside = await asyncio.to_thread(lambda: self._file.set_aside)

    async def _write(self) -> None:
        if self._unwritten is None:
            return
        self._book = self._with_unwritten(self._book)
        try:
            self._book = await asyncio.to_thread(self._file.change, self._with_unwritten)
        except BookUnavailable as exc:
            self._complain(str(exc))
            return
        self._unwritten, self._trouble = None, ""

    def _with_unwritten(self, book: Book) -> Book:
        return with_config(book, *self._unwritten) if self._unwritten else book

    def _tell(self, found: Merged, apply: Apply) -> None:
        for claim in found.left_out:
            log.error("claimed but not read: too many devices", device=claim.address, devices_max=self._devices_max)
        log.info("devices claimed", devices=[claim.address for claim in found.claims])
        apply(found.claims)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.error("the book of claims is not on the disk, they hold in memory", error=trouble)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
