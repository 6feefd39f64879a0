"""Sending in a process of its own: a channel's code is foreign and busy, and must not hold up who judges."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import structlog

from alerting.delivery import WORKERS, deliver, warm_up
from alerting.duty import RETRY_S, Duty, keep
from alerting.profile.profile import Profile
from alerting.settings import AlertingSettings

PERIOD_S = 1
LOOK_S = 0.5
GOODBYE_S = 20.0
"""What is in flight may take a channel's whole time before the process ends."""

COMMAND = (sys.executable, "-m", "hearthwatch", "alerting", "send", "--while-stdin-is-open")

log = structlog.get_logger()


def send(settings: AlertingSettings, profile: Profile, stop: threading.Event) -> None:
    """Send notices until stopped; any number of processes may do so side by side."""
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="send") as pool:
        duty = Duty(
            name="delivery",
            period_s=PERIOD_S,
            wakes_on="episode",
            turn=lambda desk_of: deliver(
                desk_of(),
                pool,
                speed=settings.clock_speed,
                clock=settings.now,
                linking=settings.linking,
                limit=settings.throttle,
            ),
            begin=warm_up,
        )
        keep(settings, profile, duty, stop)


def stop_with_stdin(stop: threading.Event) -> None:
    """Ask for the end when stdin ends: who has started this process is gone, even if it was killed."""

    def listen() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        stop.set()

    threading.Thread(target=listen, name="parent", daemon=True).start()


def keep_sending(stop: threading.Event) -> None:
    """Have a process that sends, and another one whenever it ends, until stopped."""
    while not stop.is_set():
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE) as process:
            log.info("sender_begins", pid=process.pid)
            while process.poll() is None and not stop.wait(LOOK_S):
                pass
            if process.poll() is None:
                _end(process)
            elif not stop.is_set():
                log.error("sender_ended", exit_code=process.returncode, retry_s=RETRY_S)
        stop.wait(RETRY_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(GOODBYE_S)
    except subprocess.TimeoutExpired:
        log.warning("sender_killed", pid=process.pid, after_s=GOODBYE_S)
        process.kill()
