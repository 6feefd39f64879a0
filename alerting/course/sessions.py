"""The sessions of a patient's clips, span by span: what is still open at a span's end goes on in the next."""

from collections.abc import Mapping, Sequence

from alerting.profile.singles import SessionRule
from alerting.spot.sessions import ClipSample, Session, Status, form_sessions
from alerting.spot.spells import How, Measurement
from vitals.signals import Signal


class Clips:
    """Forms sessions as the service does, from samples that come in order of time."""

    def __init__(self, rule: SessionRule) -> None:
        self._rule = rule
        self._waiting: dict[int, list[ClipSample]] = {}
        self._before: dict[int, Session] = {}

    def take(
        self, samples: Mapping[int, Sequence[ClipSample]], *, end_ms: int | None
    ) -> dict[Signal, list[Measurement]]:
        """Give what ended in a span, by signal; `end_ms` None: no more comes, and what is open is given too."""
        found: dict[Signal, list[Measurement]] = {Signal.SPO2: [], Signal.PULSE: []}
        for device in sorted({*samples, *self._waiting}):
            for session in self._formed(device, [*self._waiting.pop(device, ()), *samples.get(device, ())], end_ms):
                stable = session.status is Status.STABLE
                how = How(session.status)
                value = Measurement(t_ms=session.at_ms, value=session.value, trusted=stable, how=how)
                found[Signal.SPO2].append(value)
                if stable and session.pulse is not None:
                    found[Signal.PULSE].append(Measurement(t_ms=session.at_ms, value=session.pulse, how=how))
        return found

    def _formed(self, device: int, samples: Sequence[ClipSample], end_ms: int | None) -> list[Session]:
        sessions = form_sessions(samples, self._rule, previous=self._before.get(device))
        if end_ms is None:
            return sessions
        ended = [session for session in sessions if session.status is not Status.OPEN]
        if ended:
            self._before[device] = ended[-1]
        goes_on = next((session for session in sessions if session.status is Status.OPEN), None)
        if goes_on is not None:  # no more than its rule gives up after: what is kept is bounded
            self._waiting[device] = [sample for sample in samples if sample.t_ms >= goes_on.start_ms]
        return ended
