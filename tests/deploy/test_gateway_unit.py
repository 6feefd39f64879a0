"""The gateway's unit and the rules beside it, read by systemd's, D-Bus's and a JavaScript engine's own programs."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from gateway.identity.enrolment import STATE, STATUS_IN_MEMORY
from gateway.outbox.pair import stand_in_path

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "gateway"
UNIT = "hearthwatch-gateway.service"
EXPOSURE_MAX = 2.5
"""Of 10: Debian 12's own bluetooth.service has 6.0, ssh.service 9.6."""


def systemd(program: str) -> str:
    """Find one of systemd's programs, or skip."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} here")
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine."""
    text = (DEPLOY / UNIT).read_text()
    assert "ExecStart=/opt/hearthwatch/venv/bin/hearthwatch gateway run " in text
    (tmp_path / UNIT).write_text(text.replace("/opt/hearthwatch/venv/bin/hearthwatch", sys.executable))
    return tmp_path / UNIT


def test_systemd_understands_every_line_of_the_unit(unit: Path) -> None:
    done = subprocess.run(
        [systemd("systemd-analyze"), "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_line_it_does_not_understand_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoNewPriviledges="))
    command = [systemd("systemd-analyze"), "verify", "--man=no", str(unit)]
    assert "NoNewPriviledges" in subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_the_service_is_exposed_as_little_as_its_work_allows(unit: Path) -> None:
    command = [systemd("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE_MAX * 10:.0f}"]
    done = subprocess.run([*command, "--no-pager", str(unit)], capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze can not look at files")
    assert done.returncode == 0, done.stdout


def test_the_kernel_may_be_asked_about_the_clock(unit: Path) -> None:
    """ProtectClock= and a filter without these calls answer adjtimex with EPERM: seen, and then no clock is right."""
    lines = unit.read_text().splitlines()
    assert not [line for line in lines if line.startswith("ProtectClock=")]
    assert lines.index("SystemCallFilter=adjtimex clock_adjtime") > lines.index(
        "SystemCallFilter=~@privileged @resources"
    )


def test_the_user_is_made_and_speaks_to_bluetooth(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("bluetooth:x:112:\n")
    done = subprocess.run(
        [systemd("systemd-sysusers"), f"--root={tmp_path}", str(DEPLOY / "sysusers.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("systemd-sysusers needs root")
    assert done.returncode == 0, done.stderr
    (user,) = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("hearthwatch:")]
    assert user.endswith(":/var/lib/hearthwatch:/usr/sbin/nologin")
    groups = (tmp_path / "etc/group").read_text().splitlines()
    assert "bluetooth:x:112:hearthwatch" in groups


# polkit's rules are JavaScript: the browser's engine runs them, with polkit's three names as polkit(8) gives them.
POLKIT = """([rules, asked]) => {
  const added = [], polkit = {Result: {YES: "yes", NOT_HANDLED: null}, addRule: rule => added.push(rule)};
  new Function("polkit", rules)(polkit);
  const action = {id: asked.action, lookup: key => asked[key]};
  return added.map(rule => rule(action, {user: asked.user}));
}"""
RESTART = {"action": "org.freedesktop.systemd1.manage-units", "user": "hearthwatch", "unit": "bluetooth.service",
           "verb": "restart"}  # fmt: skip
REBOOT = {"action": "org.freedesktop.login1.reboot", "user": "hearthwatch"}


@pytest.mark.parametrize(
    ("file", "asked", "answer"),
    [
        ("polkit-bluetooth.rules", RESTART, "yes"),
        ("polkit-bluetooth.rules", RESTART | {"user": "pi"}, None),
        ("polkit-bluetooth.rules", RESTART | {"unit": "ssh.service"}, None),
        ("polkit-bluetooth.rules", RESTART | {"verb": "stop"}, None),
        ("polkit-bluetooth.rules", RESTART | {"action": "org.freedesktop.systemd1.manage-unit-files"}, None),
        ("polkit-bluetooth.rules", REBOOT, None),
        ("polkit-reboot.rules", REBOOT, "yes"),
        ("polkit-reboot.rules", REBOOT | {"action": "org.freedesktop.login1.reboot-multiple-sessions"}, "yes"),
        ("polkit-reboot.rules", REBOOT | {"user": "pi"}, None),
        ("polkit-reboot.rules", REBOOT | {"action": "org.freedesktop.login1.power-off"}, None),
        ("polkit-reboot.rules", RESTART, None),
    ],
)
def test_polkit_lets_the_gateway_do_this_and_nothing_else(
    page_of_rules: "Evaluate", file: str, asked: dict[str, str], answer: str | None
) -> None:
    assert page_of_rules((DEPLOY / file).read_text(), asked) == [answer]


class Evaluate:
    """Runs a file of rules in a browser's engine."""

    def __init__(self, page: object) -> None:
        self._page = page

    def __call__(self, rules: str, asked: dict[str, str]) -> list[str | None]:
        answers: list[str | None] = self._page.evaluate(POLKIT, [rules, asked])  # type: ignore[attr-defined]
        return answers


@pytest.fixture(scope="module")
def page_of_rules(chromium: Path) -> Iterator[Evaluate]:
    """A page without any address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        yield Evaluate(browser.new_page())
        browser.close()


# A bus as Debian sets up the system's: nobody may own or call anything that no policy allows.
BUS = """<busconfig>
  <type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><deny own="*"/><deny send_type="method_call"/>
    <allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
    <allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="root"><allow own="org.bluez"/><allow own="org.freedesktop.systemd1"/></policy>
  {policy}
</busconfig>"""
CALLS = {
    "org.bluez": ["/", "org.freedesktop.DBus.ObjectManager.GetManagedObjects"],
    "org.freedesktop.systemd1": ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager.RestartUnit"],
}


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming other users needs root")
@pytest.mark.parametrize("destination", CALLS)
def test_the_bus_lets_the_gateway_call_and_others_not(open_folder: Path, destination: str) -> None:
    """A call that the bus refuses is AccessDenied; one that it passes on is answered by the service."""
    for program in ("dbus-daemon", "dbus-send", "setpriv"):
        systemd(program)
    try:
        pwd.getpwnam("hearthwatch")
    except KeyError:
        pytest.skip("no user hearthwatch: the servers of the tests make it")
    ours = (DEPLOY / "dbus.conf").read_text().partition("<busconfig>")[2].replace("</busconfig>", "")
    with bus(open_folder, ours) as address, owner(address, destination):
        assert "AccessDenied" not in call(address, destination, "hearthwatch")
        assert "AccessDenied" in call(address, destination, "nobody")
    with bus(open_folder, "") as address, owner(address, destination):
        assert "AccessDenied" in call(address, destination, "hearthwatch")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter (pytest's own are closed to them)."""
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bus-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def bus(folder: Path, policy: str) -> Iterator[str]:
    path, config = folder / "bus", folder / "bus.conf"
    path.unlink(missing_ok=True)
    config.write_text(BUS.format(path=path, policy=policy))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as daemon:
        assert daemon.stdout is not None
        try:
            daemon.stdout.readline()
            yield f"unix:path={path}"
        finally:
            daemon.kill()


@contextlib.contextmanager
def owner(address: str, name: str) -> Iterator[None]:
    """Own a name and answer every call with an error of its own."""
    program = (
        "import asyncio, sys\n"
        "from dbus_fast.aio import MessageBus\n"
        "from dbus_fast import Message\n"
        "async def main():\n"
        "    bus = await MessageBus(bus_address=sys.argv[1]).connect()\n"
        "    bus.add_message_handler(lambda m: Message.new_error(m, 'x.Reached', 'reached') if m.path else None)\n"
        "    await bus.request_name(sys.argv[2])\n"
        "    print('ready', flush=True)\n"
        "    await bus.wait_for_disconnect()\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, address, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


def call(address: str, destination: str, user: str) -> str:
    path, member = CALLS[destination]
    command = ["dbus-send", f"--bus={address}", "--print-reply", f"--dest={destination}", path, member]
    wrapped = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", *command]
    done = subprocess.run(wrapped, capture_output=True, text=True, check=False, cwd="/")
    said = done.stdout + done.stderr
    assert "AccessDenied" in said or "x.Reached" in said, said
    return said


def test_what_lies_in_memory_outlives_the_service_and_unit_and_settings_mean_the_same_place() -> None:
    """Readings accepted while the disk refuses lie there: a restart of the service must leave them."""
    lines = (DEPLOY / UNIT).read_text().splitlines()
    assert "RuntimeDirectory=hearthwatch" in lines
    assert "RuntimeDirectoryPreserve=yes" in lines
    runtime = Path("/run/hearthwatch")
    stand_in = stand_in_path(STATE / "outbox.sqlite", {"RUNTIME_DIRECTORY": str(runtime)})
    assert stand_in is not None
    assert stand_in.is_relative_to(runtime)
    assert STATUS_IN_MEMORY.parent == runtime
    by_hand = stand_in_path(STATE / "outbox.sqlite", {})
    assert by_hand is None or by_hand.is_relative_to("/dev/shm")
    assert not [line for line in lines if line.startswith("RemoveIPC=")]  # it empties /dev/shm at every stop


def test_a_box_that_is_not_enrolled_is_no_error_and_a_dead_gateway_is_always_started_again() -> None:
    text = (DEPLOY / UNIT).read_text()
    for line in ("ConditionPathExists=/etc/hearthwatch/gateway.toml", "StartLimitIntervalSec=0", "Restart=always",
                 "Type=notify", "User=hearthwatch", "CapabilityBoundingSet=", "ProtectSystem=strict"):  # fmt: skip
        assert f"\n{line}\n" in text
