"""The channel to an SMS gateway, as an apprise plugin: sms://TOKEN@HOST[:PORT]/PATH?to=NUMBER, smss:// over TLS.

The contract that a gateway has to keep is docs/sms-gateway.md. Nothing of the token, of the number or of what the
gateway answers gets into a log or an outcome.
"""

import json
import re
from typing import Any

import requests
from apprise.exception import AppriseImproperlyConfigured
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.url import PrivacyMode

from alerting.outcomes import Outcome
from alerting.short_message import short_text

SEGMENTS = 3
SEGMENTS_MAX = 10
TRY_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 that speak of now, not of this message (RFC 9110, RFC 8470, RFC 6585)."""

_NUMBER = re.compile(r"\+?[0-9]{5,20}")


class ShortMessage(NotifyBase):
    """One number behind one gateway. After `send`, `outcome` and `for_good` say how it ended."""

    service_name = "SMS gateway"
    setup_url = "docs/sms-gateway.md"
    protocol = "sms"
    secure_protocol = "smss"
    request_rate_per_sec = 0
    title_maxlen = 250
    body_maxlen = 4000
    templates = ("{schema}://{user}@{host}", "{schema}://{user}@{host}:{port}")

    def __init__(self, *, to: str = "", key: str = "", segments: str = "", **values: Any) -> None:
        super().__init__(**values)
        if not _NUMBER.fullmatch(to):
            raise AppriseImproperlyConfigured("an SMS channel needs ?to= with the number: digits, + before them or not")
        if not (segments or str(SEGMENTS)).isdecimal() or not 1 <= int(segments or SEGMENTS) <= SEGMENTS_MAX:
            raise AppriseImproperlyConfigured(f"?segments= is 1 to {SEGMENTS_MAX}")
        self.to = to
        self.key = key
        self.segments = int(segments or SEGMENTS)
        self.outcome = ""
        self.for_good = False

    def send(self, body: str, title: str = "", notify_type: Any = None, **_: Any) -> bool:  # noqa: ARG002 - apprise names it
        """Post one message; an answer that leads elsewhere is not followed: the token would go along."""
        try:
            with requests.post(
                self._address(),
                data=json.dumps(
                    {"to": self.to, "text": short_text(title, body, segments=self.segments), "key": self.key},
                    ensure_ascii=False,
                ).encode(),
                headers=self._headers(),
                timeout=self.request_timeout,
                verify=self.verify_certificate,
                allow_redirects=False,
                stream=True,  # its status says all: what else it has to say is not waited for
            ) as answer:
                status = answer.status_code
        except requests.RequestException as exc:
            self.outcome = f"{Outcome.NO_ANSWER}: {type(exc).__name__}"
            return False
        accepted = status in range(200, 300) or status == 409
        self.for_good = not accepted and status < 500 and status not in TRY_AGAIN
        self.outcome = "" if accepted else f"{Outcome.REFUSED_FOR_GOOD if self.for_good else Outcome.REFUSED}: {status}"
        return accepted

    def url(self, privacy: bool = False, *_: Any, **__: Any) -> str:
        """Write the address again, with the secret hidden where it is asked for."""
        token = self.pprint(self.user or "", privacy, mode=PrivacyMode.Secret, safe="")
        schema = self.secure_protocol if self.secure else self.protocol
        port = f":{self.port}" if self.port else ""
        number = self.pprint(self.to, privacy, mode=PrivacyMode.Outer, safe="")
        return f"{schema}://{token}@{self.host}{port}{self.fullpath or '/'}?to={number}&segments={self.segments}"

    @staticmethod
    def parse_url(url: str, *_: Any, **__: Any) -> dict[str, Any] | None:
        """Read an address's parts."""
        results: dict[str, Any] | None = NotifyBase.parse_url(url, verify_host=False)
        if not results:
            return None
        results["secure"] = results["schema"] == ShortMessage.secure_protocol  # apprise goes by the last letter
        for name in ("to", "key", "segments"):
            results[name] = NotifyBase.unquote(results["qsd"].get(name, "")).strip()
        results["to"] = re.sub(r"[\s()-]", "", results["to"])
        return results

    def _address(self) -> str:
        port = f":{self.port}" if self.port else ""
        return f"{'https' if self.secure else 'http'}://{self.host}{port}{self.fullpath or '/'}"

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": self.key}
        return headers | ({"Authorization": f"Bearer {self.user}"} if self.user else {})


def register() -> None:
    """Make the channel known to apprise; again does nothing."""
    known = NotificationManager()
    if ShortMessage.protocol not in known:
        known.add(ShortMessage)
