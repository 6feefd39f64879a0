"""`hearthwatch ingest token`: who may send readings over HTTP."""

import json
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from ingest.command_line import database, settings_or_exit
from ingest.http import token_book
from vitals.clock import ClinicalClock

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the tokens of the HTTP intake.")


@app.command()
def add(
    organisation: Annotated[str, typer.Argument(help="Key of an organisation; its gateways and those below it.")],
    name: Annotated[str, typer.Argument(help="Who will hold the token, as 'cloud of maker X'; no patient's name.")],
) -> None:
    """Make a token and print it, for the only time: only its fingerprint is kept."""
    if not name.strip() or not name.isprintable():
        sys.exit(f"hearthwatch ingest: {name!r} is no name")
    try:
        with database() as connection:
            number, token = token_book.add(connection, organisation=organisation, name=name, now=_now())
    except token_book.TokenError as exc:
        sys.exit(f"hearthwatch ingest: {exc}")
    typer.echo(f"token {number} of {organisation}, {name!r}; it is shown only now:", err=True)
    typer.echo(token)


@app.command("list")
def list_tokens(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """List all tokens, the revoked ones too: number, organisation, name, made, last used, revoked."""
    with database() as connection:
        tokens = token_book.every(connection)
    for token in tokens:
        times = {"created": token.created_at, "last used": token.last_used_at, "revoked": token.revoked_at}
        if as_json:
            known = {name.replace(" ", "_") + "_at": at and at.isoformat() for name, at in times.items()}
            shown = {"token_id": token.token_id, "organisation": token.organisation, "name": token.name, **known}
            typer.echo(json.dumps(shown, ensure_ascii=False))
        else:
            said = "  ".join(f"{name} {at:%F %T}" for name, at in times.items() if at)
            typer.echo(f"{token.token_id}  {token.organisation}  {token.name}  {said}")
    if not tokens and not as_json:
        typer.echo("there are no tokens")


@app.command()
def revoke(number: Annotated[int, typer.Argument(help="The token's number, as `list` shows it.")]) -> None:
    """Revoke a token: the next request that brings it is refused."""
    try:
        with database() as connection:
            name, since = token_book.revoke(connection, number, now=_now())
    except token_book.TokenError as exc:
        sys.exit(f"hearthwatch ingest: {exc}")
    typer.echo(f"token {number}, {name!r}, is revoked since {since:%F %T}")


def _now() -> datetime:
    settings = settings_or_exit()
    return ClinicalClock.parse(settings.clock_origin, settings.clock_speed).at(datetime.now(UTC))
