"""A database with a small registry in it, emptied for each test: cheaper than a database for each."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from hearthwatch.services.postgres import Postgres
from tests.conftest import Templates
from tests.ingest.county import REGISTRY, connect

DATABASE = "ingest_county"
EMPTY = """
TRUNCATE sample, latest, rejected, outbox_owner, outbox_account, intake_log, gateway_status, intake_token,
    intake_token_use, outbox_word, outbox_noticed, sample_move, sample_aside;
TRUNCATE organisation, person, patient, gateway, device, binding, duty CASCADE;
UPDATE partition SET head = 0 WHERE head > 0;
"""


@pytest.fixture
def county(any_server: Postgres, templates: Templates) -> Iterator[psycopg.Connection[Any]]:
    """A connection as ingest has it, on each flavour of database."""
    with psycopg.connect(any_server.dsn(), autocommit=True) as maker:
        found = maker.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if found is None:
            maker.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {templates(any_server)}")
    with connect(any_server.dsn(DATABASE)) as connection:
        connection.execute(EMPTY)
        connection.execute(REGISTRY)
        yield connection
