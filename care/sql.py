"""SQL as files: each room's queries.sql holds named, described statements; this reads them.

-- name: lock_heads
-- Lock the partitions' heads in ascending order.
SELECT ...
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

_NAME = re.compile(r"^--[ ]name:[ ]*(\w+)[ ]*$", re.MULTILINE)


class QueryFileError(ValueError):
    """A queries.sql is malformed: text before the first name, a name given twice, no description, no statement."""


class Queries(Mapping[str, bytes]):
    """The statements of one file by name, as bytes: what psycopg executes."""

    def __init__(self, text: str, source: str) -> None:
        parts = _NAME.split(text)
        if any(line and not line.startswith("--") for line in parts[0].splitlines()):
            raise QueryFileError(f"{source}: a statement stands before the first '-- name:'")
        self.source = source
        self._statements: dict[str, bytes] = {}
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            if name in self._statements:
                raise QueryFileError(f"{source}: {name!r} is named twice")
            self._statements[name] = _statement(name, body.strip(), source)

    def __getitem__(self, name: str) -> bytes:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def load_queries(room: str, file: str = "queries.sql") -> Queries:
    """Read `<room>/queries.sql`, or another such file, of an installed package. Raises QueryFileError."""
    return Queries(files(room).joinpath(file).read_text(encoding="utf-8"), f"{room}/{file}")


def _statement(name: str, body: str, source: str) -> bytes:
    if not body.startswith("--"):
        raise QueryFileError(f"{source}: {name!r} has no description (a comment line below its name)")
    lines = [line for line in body.splitlines() if not line.startswith("--")]
    statement = "\n".join(lines).strip().removesuffix(";")
    if not statement:
        raise QueryFileError(f"{source}: {name!r} has no statement")
    return statement.encode()
