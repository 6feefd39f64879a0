"""Which database a development machine or the demo gets: TimescaleDB where it can be had, else plain PostgreSQL."""

from collections.abc import Mapping

import structlog

from hearthwatch.services.embedded import EmbeddedPostgres
from hearthwatch.services.postgres import Postgres
from hearthwatch.services.timescale import NoTimescale, Timescale

log = structlog.get_logger()


def best_database(
    instance: str | None = None, *, settings: Mapping[str, str] | None = None, port: int | None = None
) -> Postgres:
    """Prepare the best database that this machine and this user can run."""
    try:
        return Timescale(instance, settings=settings, port=port)
    except NoTimescale as error:
        log.warning("going on with plain PostgreSQL", reason=str(error))
        return EmbeddedPostgres(instance, settings=settings, port=port)
