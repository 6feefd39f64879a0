"""Alerting: six duties side by side, each with its own connection; sending in a process of its own beside them."""

import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from alerting.desk import Desk
from alerting.duty import Duty, keep
from alerting.escalation import tick
from alerting.judging.judge import Judge
from alerting.judging.limits import Limits
from alerting.judging.resting import look_at_baselines
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import Profile
from alerting.profile.site import at_site
from alerting.sender import GOODBYE_S, keep_sending, send, stop_with_stdin
from alerting.settings import AlertingSettings
from alerting.sweep import sweep
from alerting.text_file import read_text
from care.recolouring import look_at_colours
from ingest.feed import PARTITION_COUNT

SNAPSHOT_EVERY_S = 60
SWEEP_EVERY_S = 5
LIMITS_EVERY_S = 60
BASELINES_EVERY_S = 60
COLOURS_EVERY_S = 3600
TICK_EVERY_S = 1

log = structlog.get_logger()


def run(settings: AlertingSettings, profile: Profile) -> None:
    """Run until SIGTERM or SIGINT. The database may be missing at the start or go away: it is waited for."""
    stop = _stopped_by_signals()
    log.info("alerting_starts", profile=profile.name, version=profile.version, hash=profile.profile_hash[:12])
    threads = [
        threading.Thread(target=keep, args=(settings, profile, duty, stop), name=duty.name, daemon=True)
        for duty in _duties(settings)
    ]
    threads.append(threading.Thread(target=keep_sending, args=[stop], name="sender", daemon=True))
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join(timeout=GOODBYE_S + 1)
        if thread.is_alive():
            log.warning("duty_still_at_work", duty=thread.name)
    log.info("alerting_stopped")


def run_sender(settings: AlertingSettings, profile: Profile, *, while_stdin_is_open: bool) -> None:
    """Send notices until SIGTERM or SIGINT, or until stdin ends."""
    stop = _stopped_by_signals()
    if while_stdin_is_open:
        stop_with_stdin(stop)
    send(settings, profile, stop)


def _stopped_by_signals() -> threading.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def load_profile(settings: AlertingSettings) -> Profile:
    """Read the clinical profile these settings name, as used at their site. Raises ProfileError, UnreadableFile."""
    path, altitude_m = settings.alerting_profile, settings.alerting_site_altitude_m
    profile = parse_profile(read_text(Path(path)) if path else standard_adult())
    if profile.effective_from > settings.now().date():
        raise ProfileError(f"profile: effective_from = {profile.effective_from} is in the future")
    if altitude_m is None:
        raise ProfileError(
            "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M is not set: say how many metres above the sea the homes lie, as"
            f" normal SpO2 falls with altitude (from {profile.own_altitude_from_m} m on it needs limits of its own)"
        )
    return at_site(profile, altitude_m)


def _duties(settings: AlertingSettings) -> list[Duty]:
    lease = timedelta(seconds=settings.alerting_lease_s)
    judge = Judge(range(PARTITION_COUNT), settings.alerting_owner, lease)
    snapshots = _Snapshots(judge)
    limits = Limits()
    return [
        Duty(
            name="judging",
            period_s=TICK_EVERY_S,
            wakes_on="intake",
            turn=lambda desk_of: _judge(judge, snapshots, desk_of),
            begin=lambda desk: _begin_judging(judge, desk),
            end=judge.leave,
        ),
        Duty(name="limits", period_s=LIMITS_EVERY_S, wakes_on="limits", turn=limits.turn),
        Duty(name="baselines", period_s=BASELINES_EVERY_S, wakes_on="", turn=look_at_baselines),
        Duty(name="colours", period_s=COLOURS_EVERY_S, wakes_on="registry", turn=_look_at_colours),
        Duty(name="sweep", period_s=SWEEP_EVERY_S, wakes_on="", turn=lambda desk_of: sweep(desk_of())),
        Duty(name="escalation", period_s=TICK_EVERY_S, wakes_on="", turn=lambda desk_of: tick(desk_of())),
    ]


class _Snapshots:
    """Writes the engine's arrays, each partition's in its turn of a minute: nobody's readings wait for all of them."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._turn: int | None = None

    def save_if_due(self, desk: Desk) -> None:
        turn = int(desk.now.timestamp() * PARTITION_COUNT / SNAPSHOT_EVERY_S)
        begun = turn if self._turn is None else max(self._turn, turn - PARTITION_COUNT)
        self._turn = turn
        if due := {each % PARTITION_COUNT for each in range(begun, turn)}:
            self._judge.save_snapshots(desk, due)


def _look_at_colours(desk_of: Callable[[], Desk]) -> int:
    desk = desk_of()
    found = look_at_colours(desk.connection, now=desk.now)
    if found.raised or found.to_review:
        log.info("risk_colours", raised=found.raised, to_review=found.to_review)
    return found.raised


def _begin_judging(judge: Judge, desk: Desk) -> None:
    for row in desk.all("forget_unknown_rules", rules=list(desk.profile.consequences)):
        log.error("rule_gone_from_profile", patient_id=row.patient_id, rule=row.rule)
        if row.family is not None:
            desk.run(
                "set_condition", patient_id=row.patient_id, family=row.family, condition="unknown", cleared_at=None
            )
    judge.take_over(desk)


def _judge(judge: Judge, snapshots: _Snapshots, desk_of: Callable[[], Desk]) -> int:
    judged = judge.catch_up(desk_of)
    snapshots.save_if_due(desk_of())
    return judged
