"""Named statements in files."""

import pytest

from care.sql import Queries, QueryFileError, load_queries


def test_statements_are_found_by_name_without_their_description() -> None:
    queries = Queries(
        "-- About the file.\n\n-- name: one\n-- The first.\nSELECT 1;\n\n-- name: two\n-- Other.\nSELECT 2\n", "x"
    )
    assert dict(queries) == {"one": b"SELECT 1", "two": b"SELECT 2"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1", "before the first"),
        ("-- name: one\nSELECT 1", "no description"),
        ("-- name: one\n-- Says.\n", "no statement"),
        ("-- name: one\n-- Says.\nSELECT 1\n-- name: one\n-- Says.\nSELECT 1", "named twice"),
    ],
)
def test_a_malformed_file_is_refused(text: str, says: str) -> None:
    with pytest.raises(QueryFileError, match=says):
        Queries(text, "x")


@pytest.mark.parametrize("room", ["care", "ingest"])
def test_every_statement_of_a_room_is_well_formed(room: str) -> None:
    assert len(load_queries(room)) > 10
