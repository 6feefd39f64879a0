"""The alarm's two small files beside the outbox: the account of alarms, and the door where a pause is asked for."""

from contextlib import suppress
from pathlib import Path

import structlog

from gateway.alarm.log import AlarmLog, LogError, log_text, parse_log
from gateway.alarm.quiet import Quiet, QuietError, parse_quiet, quiet_text
from gateway.box.atomic_file import replace_file

log = structlog.get_logger()


class AlarmFiles:
    """Both files of one gateway; one process keeps the account, any may ask for a pause."""

    def __init__(self, outbox: Path) -> None:
        self._account = outbox.with_name("alarms.json")
        self._door = outbox.with_name("quiet.json")

    def read(self) -> AlarmLog:
        """Read the account; none is an empty one, an unreadable one is put aside and counts as none."""
        try:
            return parse_log(self._account.read_bytes())
        except FileNotFoundError:
            return AlarmLog()
        except (OSError, LogError) as exc:
            log.error("the account of alarms can not be read, a new one begins", error=str(exc))
            with suppress(OSError):
                self._account.replace(self._account.with_name(f"{self._account.name}.unreadable"))
            return AlarmLog()

    def keep(self, account: AlarmLog) -> None:
        """Put the account on the disk. Raises OSError."""
        replace_file(self._account, log_text(account), durable=True)

    def ask_for_quiet(self, quiet: Quiet) -> None:
        """Leave word for the gateway that runs here. Raises OSError."""
        replace_file(self._door, quiet_text(quiet), durable=False)

    def take_quiet(self) -> Quiet | None:
        """Take the word that was left, if one was. One that can not be taken away would hold for ever: it is none."""
        try:
            text = self._door.read_bytes()
            self._door.unlink()
            return parse_quiet(text)
        except FileNotFoundError:
            return None
        except (OSError, QuietError) as exc:
            log.error("a pause can not be taken", error=str(exc))
            return None
