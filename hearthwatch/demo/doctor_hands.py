"""The county expert of a demo that runs without a browser: the same console, over its HTTP API."""

import json
import urllib.request
from http.cookiejar import CookieJar
from typing import Any


class Expert:
    """Signed in at the console; acts on one episode after the other."""

    def __init__(self, console: str, *, key: str, password: str) -> None:
        self._console = console
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._csrf = ""
        self._csrf = self._call("/api/v1/session", {"key": key, "password": password})["csrf"]

    def acknowledge(self, episode_id: int) -> None:
        """Take responsibility for an episode."""
        self._call(f"/api/v1/episodes/{episode_id}/acknowledge", {})

    def decide(self, episode_id: int, disposition: str, note: str) -> None:
        """Decide what becomes of the patient."""
        self._call(f"/api/v1/episodes/{episode_id}/decide", {"disposition": disposition, "note": note})

    def refer(self, episode_id: int, *, severity: str, driver: str) -> int:
        """Refer the patient; the county's table says where to. Gives the referral."""
        picture = {"severity": severity, "driver": driver}
        return int(self._call(f"/api/v1/episodes/{episode_id}/refer", picture)["referral_id"])

    def say(self, referral_id: int, event: str) -> None:
        """Say what happened to a referral."""
        self._call(f"/api/v1/referrals/{referral_id}/say", {"event": event})

    def _call(self, path: str, document: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._console + path,
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json", "X-CSRF-Token": self._csrf},
        )
        with self._opener.open(request, timeout=10) as answer:
            return json.loads(answer.read())
