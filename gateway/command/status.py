"""`hearthwatch gateway status`: the gateway's last word and its age, and the outbox as it is now, as JSON."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.claims.device_list import NEVER_RUN, document_in
from gateway.command.end import fail
from gateway.outbox.outbox import Account, OutboxError, Undecoded, read_account, set_aside_count
from gateway.report.running import is_running
from gateway.report.status import account_entry
from gateway.report.status_file import StatusFile, status_path
from gateway.settings import SettingsError, load_settings


def status(
    config: Annotated[Path | None, typer.Option("--config", help="settings file (TOML)", show_default=False)] = None,
) -> None:
    """Print as JSON how the gateway is: its last word, how old that is, and the outbox read just now.

    It needs no broker and no radio, and disturbs no gateway that runs. `running` says whether one does, `age_s` is
    the age of its word (null: it has left none). `outbox` and `newest_undecoded` are read from the outbox itself.
    """
    try:
        settings = load_settings(config)
    except SettingsError as exc:
        fail(str(exc))
    path = settings.outbox_path
    last = StatusFile(status_path(path, settings.status_file)).read()
    if last is None and not path.exists():
        fail(f"{path}: {NEVER_RUN}")
    document: dict[str, Any] = {
        "running": is_running(settings),
        "age_s": None if last is None else round(last.age_s, 1),
        **document_in(last.payload if last else None),
    }
    trouble = _unreadable(path)
    if trouble is None:
        try:
            account, undecoded = read_account(path, bytes_max=settings.outbox_bytes_max)
        except OutboxError:
            trouble = "it is damaged, or no outbox"
        else:
            document |= _outbox(document.get("outbox"), account, undecoded, set_aside=set_aside_count(path))
    typer.echo(json.dumps(document, ensure_ascii=False))
    if trouble is not None:
        fail(f"{path}: the outbox can not be read: {trouble}", code=1)


def _unreadable(path: Path) -> str | None:
    try:
        path.open("rb").close()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None


def _outbox(said: object, account: Account, undecoded: list[Undecoded], *, set_aside: int) -> dict[str, object]:
    """Give what is read now, beside what only the running gateway knows (what is on its way, trouble of the disk)."""
    return {
        "outbox": {
            **(said if isinstance(said, dict) else {}),
            **account_entry(account),
            "first_row": account.first_row,
            "end_row": account.end_row,
            "set_aside": set_aside,
        },
        "undecoded": account.undecoded,
        "newest_undecoded": [
            {"device": u.device, "characteristic": u.characteristic, "payload": u.payload.hex(), "error": u.error}
            for u in undecoded
        ],
    }
