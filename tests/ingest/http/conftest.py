"""The county with two townships, and the HTTP intake before its database: one process for each flavour."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import psycopg
import pytest

from tests.ingest.http.server import HttpService, Phone, make_token

County = psycopg.Connection[Any]

TOWNS = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (2, 'north', '北', 'North', 'township_or_community', 1), (3, 'south', '南', 'South', 'township_or_community', 1);
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-north', 2), ('gw-south', 3);
UPDATE registry_version SET version = version + 1;
"""
MENDED = "DROP TRIGGER IF EXISTS refuse ON sample; DROP FUNCTION IF EXISTS refuse()"


@pytest.fixture
def towns(county: County) -> Iterator[County]:
    """The county with two townships below it."""
    county.execute(TOWNS)
    yield county
    county.execute(MENDED)


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], HttpService]]:
    """A process for each database, started when it is first asked for."""
    with ExitStack() as stack:
        yield cache(lambda dsn: stack.enter_context(HttpService(dsn, tmp_path_factory.mktemp("http"))))


@pytest.fixture
def service(towns: County, services: Callable[[str], HttpService]) -> HttpService:
    """The HTTP intake before the county's database."""
    return services(towns.info.dsn)


@pytest.fixture
def phone(towns: County, service: HttpService) -> Phone:
    """A phone with a token of the county."""
    return Phone(service, make_token(towns))
