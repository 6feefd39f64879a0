"""A ward on each flavour of database."""

from collections.abc import Iterator

import pytest

from tests.alerting.ward import Ward


@pytest.fixture
def ward(any_database: str) -> Iterator[Ward]:
    """The county of tests/alerting/ward.py."""
    with Ward(any_database) as made:
        yield made
