"""How the gateway's commands end in trouble: a sentence on stderr, and a code."""

from typing import NoReturn

import typer


def fail(message: str, *, code: int = 2) -> NoReturn:
    """End the command; 2: it was asked wrongly, 1: it could not be done."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
