"""A ward on each flavour of database."""

from collections.abc import Iterator

import pytest

from tests.alerting.ward import Ward


@pytest.fixture
def ward(any_database: str) -> Iterator[Ward]:
    """A county with four patients: 1 and 2 with oximeters, 3 with a thermometer, 4 red with an oximeter."""
    with Ward(any_database) as made:
        yield made
