"""Signing in and out, and choosing the language."""

import hmac
import secrets
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from dashboards.sessions import COOKIE, LASTS, Attempt, SignInError, TooManyFailures, sign_in, sign_out
from dashboards.web import LANGUAGE_COOKIE, Anyone, Posted, Visit
from dashboards.words import Language

FORM_COOKIE = "hearthwatch_form"
LANGUAGE_LASTS_S = 365 * 24 * 3600

router = APIRouter()


@router.get("/sign-in")
def form(visit: Anyone, next: str = "/") -> Response:
    """Show the form, or go on if signed in."""
    if visit.viewer is not None:
        return RedirectResponse(_local(next), status_code=303)
    return _form(visit, _local(next))


@router.post("/sign-in")
def enter(
    visit: Anyone,
    key: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Take key and password; the form's token must be the one its page set."""
    held = visit.request.cookies.get(FORM_COOKIE, "")
    if not held or not hmac.compare_digest(held.encode(), csrf.encode()):
        return _form(visit, _local(next), status=403, trouble="form")
    attempt = Attempt(key=key.strip(), password=password, address=address_of(visit.request))
    try:
        token = sign_in(visit.connection, attempt, datetime.now(UTC))
    except TooManyFailures:
        return _form(visit, _local(next), status=429, trouble="many", key=attempt.key)
    except SignInError:
        return _form(visit, _local(next), status=401, trouble="wrong", key=attempt.key)
    answer = RedirectResponse(_local(next), status_code=303)
    set_session(answer, visit.request, token)
    answer.delete_cookie(FORM_COOKIE)
    return answer


@router.post("/sign-out")
def leave(visit: Posted) -> Response:
    """End the session."""
    sign_out(visit.connection, visit.request.cookies[COOKIE], datetime.now(UTC))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/language/{language}")
def choose_language(language: Language, next: str = "/") -> Response:
    """Keep the language for this browser."""
    answer = RedirectResponse(_local(next), status_code=303)
    answer.set_cookie(LANGUAGE_COOKIE, language.value, max_age=LANGUAGE_LASTS_S, samesite="lax", httponly=True)
    return answer


def set_session(answer: Response, request: Request, token: str) -> None:
    """Hand the session's token to the browser: out of reach of scripts and of other sites."""
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def address_of(request: Request) -> str:
    """Give the address a request came from."""
    return request.client.host if request.client else "unknown"


def _form(visit: Visit, target: str, *, status: int = 200, trouble: str = "", key: str = "") -> Response:
    token = visit.request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    answer = visit.render("sign_in.html", status, form_token=token, target=target, trouble=trouble, key=key)
    answer.set_cookie(FORM_COOKIE, token, httponly=True, samesite="strict", secure=visit.request.url.scheme == "https")
    return answer


def _local(target: str) -> str:
    """Keep only a path of this site: the address bar is anyone's."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
