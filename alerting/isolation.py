"""Work on many things of which one may be poisonous: it is logged and skipped this time, the others go on."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import psycopg
import structlog

from alerting.desk import Desk

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


def in_one_go(together: Callable[[], T], each: Callable[[], T], *, what: str) -> T:
    """Do work on many things in one transaction; where that fails, let `each` be worked on by itself.

    What is wrong is then met again, and logged with the thing that it is of. Trouble with the connection goes up.
    """
    try:
        return together()
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as exc:  # noqa: BLE001 - whatever one of many things may hold
        log.warning("one_by_one", what=what, error=type(exc).__name__)
        return each()


@contextmanager
def isolated(desk: Desk, patient_id: int, *, since: datetime) -> Iterator[None]:
    """Judge one patient in a savepoint of the caller's transaction: what fails is undone, and the others go on.

    It is logged and kept in `unjudged`, so that he is judged again from `since` on (alerting/judging/unjudged.py) and
    somebody is told. Trouble with the connection itself goes up.
    """
    try:
        with desk.connection.transaction():
            yield
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as exc:
        error = f"{type(exc).__name__}: {exc}"[:ERROR_CHARACTERS_MAX].replace("\0", "")
        noted = desk.one("note_unjudged", patient_id=patient_id, since=since, now=desk.now, error=error)
        log.exception("patient_unjudged", patient_id=patient_id, failures=noted.failures if noted else 1)


ERROR_CHARACTERS_MAX = 1000
