"""Commands of the console: run it, and make the link of a wall display."""

import sys

import typer
import uvicorn
from pydantic import ValidationError

from dashboards.app import create_app
from dashboards.server import Server
from dashboards.settings import Settings
from dashboards.wall.link import wall_path
from vitals.setting_faults import in_lines
from vitals.setting_names import UnknownSetting

app = typer.Typer(help="The web console and the wall displays.", no_args_is_help=True)

SHUTDOWN_WITHIN_S = 3


@app.command()
def run() -> None:
    """Serve the console and the walls until stopped."""
    settings = _settings()
    application = create_app(settings)
    config = uvicorn.Config(
        application,
        host=settings.console_host,
        port=settings.console_port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_WITHIN_S,
    )
    Server(config, application.state.site.broadcast.close).run()


@app.command("wall-link")
def wall_link(organisation: str) -> None:
    """Print the path under which a display of this organisation (its key) is served."""
    secret = _settings().console_secret.get_secret_value()
    if not secret:
        typer.echo("HEARTHWATCH_CONSOLE_SECRET is not set: a link needs the secret the console runs with", err=True)
        raise typer.Exit(2)
    typer.echo(wall_path(secret.encode(), organisation))


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except UnknownSetting as error:
        sys.exit(f"hearthwatch console: {error}")
    except ValidationError as error:
        sys.exit("\n".join(f"hearthwatch console: {line}" for line in in_lines(error.errors())))
