"""Servers never run as root: where we are root, they run as the system user `hearthwatch`."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from hearthwatch.services.process import PDEATHSIG_SIGNALS

NAME = "hearthwatch"


class NoServiceUser(Exception):
    """The system user that servers run as could not be created."""


def service_user() -> pwd.struct_passwd | None:
    """Answer the user that servers are to run as, created on first use; None when we are not root ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", NAME],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        return pwd.getpwnam(NAME)  # ours, or that of a run that was quicker
    except KeyError:
        raise NoServiceUser(f"useradd {NAME}: {made.stderr.strip()}") from None


def as_service_user(argv: tuple[str, ...], death_signal: signal.Signals = signal.SIGINT) -> tuple[str, ...]:
    """Wrap a command to run as the service user (or as ourselves), signalled when its parent dies."""
    user = service_user()
    change = () if user is None else (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    return ("setpriv", *change, "--pdeathsig", PDEATHSIG_SIGNALS[death_signal], "--", *argv)


def give_to_service_user(folder: Path) -> None:
    """Make the folder the service user's own."""
    user = service_user()
    if user is not None:
        shutil.chown(folder, user.pw_uid, user.pw_gid)
