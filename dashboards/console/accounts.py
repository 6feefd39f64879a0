"""What became of every reading, gateway by gateway: the number that must be nought is the first on the page."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from dashboards import accounts
from dashboards.web import SignedIn, Visit
from dashboards.words import Language
from ingest.judging.rejection import EXPLANATION, Rejection

router = APIRouter()


@router.get("/accounts")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("accounts.html", **_values(visit))


@router.get("/accounts/list")
def fragment(visit: SignedIn) -> HTMLResponse:
    """Give the numbers alone, for a live page."""
    return visit.render("accounts_list.html", **_values(visit))


def _values(visit: Visit) -> dict[str, Any]:
    scope = visit.scope()
    return {
        "rows": accounts.accounts(visit.connection, scope),
        "total": accounts.total(visit.connection, scope),
        "most": accounts.GATEWAYS_MOST,
        "why": lambda reason: why(reason, visit.words.language),
    }


def why(reason: str, language: Language) -> str:
    """Say a reason as ingest explains it; one of a newer ingest is shown as it is."""
    if reason not in set(Rejection):
        return reason
    zh, en = EXPLANATION[Rejection(reason)]
    return zh if language is Language.ZH else en
