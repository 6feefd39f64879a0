"""A database with a small registry in it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.ingest.county import REGISTRY, connect


@pytest.fixture
def county(any_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection as ingest has it, on each flavour of database."""
    with connect(any_database) as connection:
        connection.execute(REGISTRY)
        yield connection
