"""What can be wrong with a request, or with us: every problem by name, told as problem details (RFC 9457).

What a problem is answered to was not taken: nothing of it counts as received, and the sender keeps its readings.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field

from ingest.judging.decode import Refused
from ingest.judging.rejection import EXPLANATION, Rejection

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem-type:hearthwatch:"


class Problem(StrEnum):
    """A problem that is no fault of the JSON document itself; those have the names of `ingest.judging.rejection`."""

    BAD_GATEWAY_ID = "bad_gateway_id"
    BAD_GZIP = "bad_gzip"
    BODY_CUT_SHORT = "body_cut_short"
    TOKEN_MISSING = "token_missing"
    TOKEN_UNKNOWN = "token_unknown"
    TOKEN_REVOKED = "token_revoked"
    GATEWAY_NOT_ALLOWED = "gateway_not_allowed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_TOO_LARGE = "body_too_large"
    INFLATES_TOO_FAR = "inflates_too_far"
    CONTENT_TYPE = "content_type"
    CONTENT_ENCODING = "content_encoding"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    BUSY = "busy"
    DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What is the same for every occurrence of a problem."""

    status: HTTPStatus
    title: str
    headers: tuple[tuple[str, str], ...] = ()


_KINDS: dict[Problem, _Kind] = {
    Problem.BAD_GATEWAY_ID: _Kind(
        status=HTTPStatus.BAD_REQUEST, title="The query parameter `gateway` does not name one gateway."
    ),
    Problem.BAD_GZIP: _Kind(status=HTTPStatus.BAD_REQUEST, title="The body can not be unpacked as gzip."),
    Problem.BODY_CUT_SHORT: _Kind(status=HTTPStatus.BAD_REQUEST, title="The connection ended before the body did."),
    Problem.TOKEN_MISSING: _Kind(
        status=HTTPStatus.UNAUTHORIZED,
        title="A token is needed: `Authorization: Bearer hwi_…`.",
        headers=(("WWW-Authenticate", 'Bearer realm="hearthwatch"'),),
    ),
    Problem.TOKEN_UNKNOWN: _Kind(
        status=HTTPStatus.UNAUTHORIZED,
        title="The token is not known here.",
        headers=(("WWW-Authenticate", 'Bearer realm="hearthwatch", error="invalid_token"'),),
    ),
    Problem.TOKEN_REVOKED: _Kind(
        status=HTTPStatus.UNAUTHORIZED,
        title="The token has been revoked: ask for a new one.",
        headers=(("WWW-Authenticate", 'Bearer realm="hearthwatch", error="invalid_token"'),),
    ),
    Problem.GATEWAY_NOT_ALLOWED: _Kind(
        status=HTTPStatus.FORBIDDEN,
        title="The token does not speak for this gateway: it is not registered in the token's organisation or below.",
    ),
    Problem.NOT_FOUND: _Kind(status=HTTPStatus.NOT_FOUND, title="There is nothing at this address."),
    Problem.METHOD_NOT_ALLOWED: _Kind(
        status=HTTPStatus.METHOD_NOT_ALLOWED, title="This address does not take this method."
    ),
    Problem.BODY_TOO_SLOW: _Kind(status=HTTPStatus.REQUEST_TIMEOUT, title="The body took too long to arrive."),
    Problem.BODY_TOO_LARGE: _Kind(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, title="The body is too large: send fewer rows at once."
    ),
    Problem.INFLATES_TOO_FAR: _Kind(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        title="The body unpacks to more than is taken: send fewer rows at once.",
    ),
    Problem.CONTENT_TYPE: _Kind(
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        title="The body must be JSON: `Content-Type: application/json`.",
        headers=(("Accept", "application/json"),),
    ),
    Problem.CONTENT_ENCODING: _Kind(
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        title="The body may be packed with gzip, once, or not at all.",
        headers=(("Accept-Encoding", "gzip"),),
    ),
    Problem.TOO_MANY_REQUESTS: _Kind(
        status=HTTPStatus.TOO_MANY_REQUESTS, title="This token sends too often: send more rows at once."
    ),
    Problem.INTERNAL: _Kind(
        status=HTTPStatus.INTERNAL_SERVER_ERROR, title="A fault of ours; nothing was taken. Try again later."
    ),
    Problem.BUSY: _Kind(
        status=HTTPStatus.SERVICE_UNAVAILABLE, title="Too many requests wait; nothing was taken. Try again later."
    ),
    Problem.DATABASE: _Kind(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        title="The database takes no readings now. Send the same again later: nothing is ever taken twice.",
    ),
}


class ProblemDocument(BaseModel):
    """Why a request was not taken (RFC 9457). Nothing of it counts as received: keep the readings."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Problem")

    type: str = Field(description=f"`{TYPE_PREFIX}` and the problem's name.")
    title: str = Field(description="What kind of problem it is, in one sentence.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What exactly is wrong; names the offending value.")
    name: str = Field(description="The problem by name: decide on this, not on texts.")
    field: str | None = Field(
        default=None, description="The field at fault, as `devices[0].device`; null where it is none in particular."
    )
    trouble: str | None = Field(
        default=None, description="With `database`: what is wrong with it by name, as `unreachable` or `read_only`."
    )
    retry_after_s: int | None = Field(
        default=None, description="Try again after so many seconds (as Retry-After); null: only when it is mended."
    )


class NotTaken(Exception):
    """A request is not taken: the document that says why, and the headers that go with it."""

    def __init__(self, document: ProblemDocument, headers: Mapping[str, str]) -> None:
        super().__init__(document.detail)
        self.document = document
        self.headers = headers


class RequestRefused(NotTaken):
    """A request can not be taken, now or at all: what exactly, and when to try again if that can help."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        trouble: str = "",
        retry_after_s: float | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        kind = _KINDS[problem]
        # Whole seconds (RFC 9110, 10.2.3), and never 0: that would invite a loop.
        whole_s = None if retry_after_s is None else max(1, math.ceil(retry_after_s))
        document = ProblemDocument(
            type=TYPE_PREFIX + problem,
            title=kind.title,
            status=kind.status,
            detail=detail,
            name=problem,
            field="gateway" if problem is Problem.BAD_GATEWAY_ID else None,
            trouble=trouble or None,
            retry_after_s=whole_s,
        )
        later = {} if whole_s is None else {"Retry-After": str(whole_s)}
        super().__init__(document, {**dict(kind.headers), **headers, **later})


class UnreadableDocument(NotTaken):
    """The JSON document can not be read: its reason in `ingest.judging.rejection` is the problem's name."""

    def __init__(self, refused: Refused) -> None:
        too_large = refused.reason is Rejection.OVERSIZED
        _, explanation = EXPLANATION[refused.reason]
        document = ProblemDocument(
            type=TYPE_PREFIX + refused.reason,
            title=explanation,
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST,
            detail=str(refused),
            name=refused.reason,
            field=refused.field or None,
        )
        super().__init__(document, {})
