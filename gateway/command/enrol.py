"""`hearthwatch gateway enrol`: make this box's key and request, or install what the site has signed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.command.end import fail
from gateway.identity.enrolment import FOLDER, STATE, EnrolmentError, Installed, Requested, install, request


def enrol(
    gateway_id: Annotated[str, typer.Option("--gateway-id", help="the name of this box: a-z, 0-9, - and _")] = "",
    bundle: Annotated[Path | None, typer.Option("--install", help="install this bundle, signed by the site")] = None,
    folder: Annotated[Path, typer.Option(help="where key, certificate and settings lie")] = FOLDER,
    state: Annotated[Path, typer.Option(help="where the outbox lies, on the box's own storage")] = STATE,
) -> None:
    """Make this box's key and a request for the site; then, with --install, take the site's bundle."""
    try:
        if bundle is not None and not gateway_id:
            _tell_installed(install(folder, bundle, state=state, now=datetime.now(UTC)))
            return
        if gateway_id and bundle is None:
            _tell_requested(request(folder, gateway_id))
            return
        why = "give either --gateway-id (to make the request) or --install (to take the bundle)"
    except EnrolmentError as exc:
        why = str(exc)
    except ModuleNotFoundError as exc:
        why = f"enrolment needs {exc.name}, which is not installed: pip install 'hearthwatch[gateway]'"
    except OSError as exc:
        way_out = "; run it as root (sudo)" if isinstance(exc, PermissionError) else ""
        why = f"{exc.filename}: {exc.strerror}{way_out}"
    fail(f"hearthwatch gateway enrol: {why}")


def _tell_requested(done: Requested) -> None:
    made = "made now" if done.is_new_key else "it was there and stays"
    typer.echo(f"key          {done.key_file} ({made}; it never leaves this box)")
    typer.echo(f"request      {done.request_file}")
    typer.echo(f"fingerprint  {done.fingerprint}")
    typer.echo("")
    typer.echo(
        f"Next: carry {done.request_file.name} to the site, where:  hearthwatch site enrol {done.request_file.name}"
    )
    typer.echo("The site prints the same fingerprint; if it prints another, do not go on.")
    typer.echo("Then, here:  hearthwatch gateway enrol --install BUNDLE")


def _tell_installed(done: Installed) -> None:
    typer.echo(f"gateway      {done.gateway_id}")
    typer.echo(f"broker       {done.broker}")
    typer.echo(f"certificate  until {done.expires_at:%F}")
    typer.echo(f"site's key   {done.authority_fingerprint}")
    typer.echo(f"settings     {done.settings_file}")
    typer.echo("")
    typer.echo("Next:  systemctl restart hearthwatch-gateway;  hearthwatch gateway selftest")
