"""The page behind a notice's link: it says what the alarm is, and one tap takes responsibility, without signing in.

Fetching the page changes nothing: messengers and virus scanners fetch links before people do.
"""

import hashlib
from datetime import UTC, datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from alerting.answering import Found, LinkState, answer, look
from dashboards.console.sign_in import address_of
from dashboards.database import execute, records
from dashboards.sessions import FAILURES_KEPT, FAILURES_MOST, FAILURES_WINDOW
from dashboards.web import Anyone, Visit

STATUS = {LinkState.GOOD: 200, LinkState.DONE: 200, LinkState.FORGED: 404}
GONE = 410
TOO_MANY = 429

router = APIRouter()


@router.get("/a/{token}")
def show(visit: Anyone, token: str) -> HTMLResponse:
    """Show what a link stands for."""
    found = look(visit.connection, token, linking=visit.site.settings.linking(), now=visit.now)
    return _answer(visit, token, found)


@router.post("/a/{token}")
def take(visit: Anyone, token: str) -> HTMLResponse:
    """Take responsibility, once; the token is what one has to hold."""
    found = answer(visit.connection, token, linking=visit.site.settings.linking(), now=visit.now, link=visit.address)
    return _answer(visit, token, found)


def _answer(visit: Visit, token: str, found: Found) -> HTMLResponse:
    status = STATUS.get(found.state, GONE)
    if found.state is LinkState.FORGED and _is_braked(visit, token):
        status = TOO_MANY
    return visit.render(
        "link.html", status, token=token, state=found.state.value, notice=found.notice, braked=status == TOO_MANY
    )


def _is_braked(visit: Visit, token: str) -> bool:
    """Count a forged link as a failed sign-in is counted, apart from those; a good link is never held up by others'."""
    now = datetime.now(UTC)
    who = {"key_hash": hashlib.sha256(token.encode()).digest(), "address": f"link {address_of(visit.request)}"}
    counts = records(visit.connection, "failures", **who, since=now - FAILURES_WINDOW)[0]
    if any(counts[kind] >= most for kind, most in FAILURES_MOST.items()):
        return True
    execute(visit.connection, "failure_forget", **who, before=now - FAILURES_KEPT, signed_in=False)
    execute(visit.connection, "failure_record", **who, now=now)
    return False
