"""Which database a development machine or the demo gets: TimescaleDB where it can be had, else plain PostgreSQL."""

import os
from collections.abc import Mapping

from hearthwatch.services.embedded import EmbeddedPostgres
from hearthwatch.services.postgres import Postgres
from hearthwatch.services.timescale import Timescale, is_built


def best_database(
    instance: str | None = None, *, settings: Mapping[str, str] | None = None, port: int | None = None
) -> Postgres:
    """Prepare the best database this machine can run: it is built where we are root, used where it is built."""
    if is_built() or os.geteuid() == 0:
        return Timescale(instance, settings=settings, port=port)
    return EmbeddedPostgres(instance, settings=settings, port=port)
