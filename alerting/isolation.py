"""Work on many things of which one may be poisonous: it is logged and skipped this time, the others go on."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import psycopg
import structlog

T = TypeVar("T")
log = structlog.get_logger()


def one_by_one(items: Iterable[T], work: Callable[[T], int], *, what: str) -> int:
    """Do a piece of work for each item in turn and give the sum of what they returned.

    Each item's work is its own transaction. A failure of one is loud and is tried again at the next turn; trouble
    with the connection itself goes up to whoever can open a new one.
    """
    done = 0
    for item in items:
        try:
            done += work(item)
        except psycopg.OperationalError:
            raise
        except Exception:
            log.exception("skipped", what=what, item=str(item))
    return done
