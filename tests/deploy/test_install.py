"""The install script and the lock of a box: whole, pinned, and no more than a gateway needs."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.gateway.outbox_rows import opened, readings

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy" / "gateway"
SCRIPT = DEPLOY / "install.sh"
NOT_INSTALLED = {"install.sh", "requirements.lock", "build.in"}
PIN = re.compile(r"^([a-z0-9._-]+)==([^ \\]+)(.*?)(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Read a lock: version and hashes by name."""
    return {
        name: (version, frozenset(re.findall(r"sha256:[0-9a-f]{64}", rest)))
        for name, version, rest in PIN.findall(lock.read_text())
    }


def needed(name: str, extra: str = "") -> set[str]:
    """Walk what a package needs on this machine, as it is installed here."""
    found: set[str] = set()
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            dependency = requirement.name.lower().replace("_", "-")
            found |= {dependency} | needed(dependency)
    return found


def test_a_boxes_lock_is_a_part_of_the_one_lock() -> None:
    box, whole = pins(DEPLOY / "requirements.lock"), pins(REPOSITORY / "requirements.lock")
    assert {name: pin for name, pin in box.items() if whole.get(name) != pin} == {}, (
        "compile it anew, as its first lines say"
    )
    assert all(hashes for _, hashes in box.values())
    assert "://" not in (DEPLOY / "requirements.lock").read_text()


def test_it_holds_all_that_a_gateway_needs_and_nothing_of_a_server() -> None:
    box = set(pins(DEPLOY / "requirements.lock"))
    assert needed("hearthwatch", "gateway") - {"hearthwatch"} <= box
    assert needed("hatchling") | {"hatchling"} <= box
    assert not box & {"numpy", "psycopg", "fastapi", "bumble", "apprise", "uvicorn"}


def test_every_file_of_the_folder_is_installed_by_name_and_every_name_is_there() -> None:
    named = set(re.findall(r"^(?:[a-z_]+=[\"'])?([a-z-]+\.(?:conf|rules)) /", SCRIPT.read_text(), re.MULTILINE))
    named.add("hearthwatch-gateway.service")
    assert named | NOT_INSTALLED == {path.name for path in DEPLOY.iterdir()}


def test_the_shell_understands_it() -> None:
    for shell in ("sh", "dash", "bash"):
        if shutil.which(shell):
            assert subprocess.run([shell, "-n", str(SCRIPT)], check=False).returncode == 0


def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_names_no_package_index_and_no_mirror() -> None:
    assert "://" not in SCRIPT.read_text()


def test_help_says_what_it_does_and_changes_nothing() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--uninstall", "--purge", "--allow-reboot", "--alarm-output", "/opt/hearthwatch", "/etc/hearthwatch"):
        assert word in done.stdout


def test_an_unknown_option_is_refused_before_anything_is_done() -> None:
    done = run("--unistall")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no option '--unistall'" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user than ourselves")
def test_without_root_it_says_so() -> None:
    script = SCRIPT.read_text()
    command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-s"]
    done = subprocess.run(command, input=script, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "please run it as root" in done.stderr


def test_the_rules_for_the_leds_hold_at_once_and_not_after_the_next_boot(tmp_path: Path) -> None:
    """The script's own last step, on a machine of stand-ins alone: no program of ours is in its path."""
    said = tmp_path / "said"
    for program in ("udevadm", "systemctl", "rfkill"):
        (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@" >> {said}\n')
        (tmp_path / program).chmod(0o755)
    dirname = shutil.which("dirname")
    assert dirname is not None
    (tmp_path / "dirname").symlink_to(dirname)
    step = SCRIPT.read_text().replace('main "$@"', "runs_systemd() { true; }\nswitch_on")
    done = subprocess.run(
        ["/bin/sh", "-c", step], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = said.read_text().splitlines()
    trigger = told.index("udevadm trigger --subsystem-match=leds --action=change")
    assert (
        told.index("udevadm control --reload") < trigger < told.index("systemctl restart hearthwatch-gateway.service")
    )


STAND_IN_PIP = """#!/bin/sh
cd "$(dirname "$0")/.."
mkdir -p lib/here/gateway
echo 'WORD = "compiled"' > lib/here/gateway/part.py
ln -sf python bin/hearthwatch
"""


def test_every_module_is_compiled_also_where_pip_does_not_do_it(tmp_path: Path) -> None:
    """On a box nothing else can: the service's system is read-only."""
    program, pip = tmp_path / "opt", tmp_path / "pip"
    pip.write_text(STAND_IN_PIP)
    pip.chmod(0o755)
    step = SCRIPT.read_text()
    for line, instead in {
        "\nprogram=/opt/hearthwatch\n": f"\nprogram={program}\n",
        "\ncommand=/usr/local/bin/hearthwatch\n": f"\ncommand={tmp_path}/hearthwatch\n",
        "\nhere=$(": f"\nhere={DEPLOY} #",
        'python3 -m venv "$new"': f'{sys.executable} -m venv --without-pip "$new"; cp {pip} "$new/bin/pip"',
        'main "$@"': "install_program",
    }.items():
        assert line in step
        step = step.replace(line, instead)
    done = subprocess.run(
        ["/bin/sh", "-c", step],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (cached,) = program.glob("venv/lib/here/gateway/__pycache__/part.*.pyc")
    assert b"compiled" in cached.read_bytes()


@pytest.mark.parametrize("in_memory", [0, 2])
@pytest.mark.parametrize("purge", [False, True])
def test_uninstalling_says_in_a_few_lines_what_goes_and_what_stays(tmp_path: Path, purge: bool, in_memory: int) -> None:
    """The script's own step in a folder instead of the root, with a real outbox and the product's own command."""
    box = a_box(tmp_path, readings_waiting=3)
    standing_in = opened(box / "run/hearthwatch/hearthwatch-0123456789abcdef/outbox.sqlite")
    standing_in.accept(readings(in_memory))
    standing_in.close()
    script = SCRIPT.read_text()
    for place in ("/etc/", "/opt/hearthwatch", "/var/lib/hearthwatch", "/run/hearthwatch", "/usr/local/bin/"):
        assert place in script
        script = re.sub(rf"(?<=[\s\"'=:]){place}", f"{box}{place}", script)
    step = script.replace('main "$@"', f"runs_systemd() {{ false; }}\npurge={'yes' if purge else ''}\nuninstall")
    done = subprocess.run(
        ["/bin/sh", "-c", step], env={"PATH": f"{box}/bin"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    lines = [line.replace(str(box), "") for line in done.stderr.splitlines()]
    assert lines[0] == (
        "install: removed: the program (/opt/hearthwatch), /usr/local/bin/hearthwatch, the service and its rules"
    )
    outbox = "the outbox (/var/lib/hearthwatch), with 3 readings that the centre"
    assert (f"install: removed: {outbox} had not stored" in lines) is purge
    assert (f"install: kept: {outbox} has not stored" in lines) is not purge
    assert len(lines) == (5 if in_memory else 4)
    told = (
        "removed: 2 readings more that were in memory only"
        if purge
        else "in memory only (/run/hearthwatch): 2 readings"
    )
    assert any(told in line for line in lines) is bool(in_memory)
    assert not (box / "opt/hearthwatch").exists()
    assert not (box / "etc/systemd/system/hearthwatch-gateway.service").exists()
    assert (box / "etc/hearthwatch/gateway.toml").exists() is not purge
    assert (box / "var/lib/hearthwatch/outbox.sqlite").exists() is not purge


def a_box(box: Path, *, readings_waiting: int) -> Path:
    """Make a folder like a box with a gateway, and beside it the programs that the script may call."""
    outbox = box / "var/lib/hearthwatch/outbox.sqlite"
    for folder in ("bin", "usr/local/bin", "opt/hearthwatch/venv/bin", "etc/hearthwatch", "etc/systemd/system"):
        (box / folder).mkdir(parents=True)
    for program in ("rm", "rmdir", "dirname", "id"):
        found = shutil.which(program)
        assert found is not None
        (box / "bin" / program).symlink_to(found)
    (box / "bin" / "userdel").write_text("#!/bin/sh\n")
    (box / "opt/hearthwatch/venv/bin/python").symlink_to(sys.executable)
    (box / "etc/hearthwatch/gateway.toml").write_text(f'gateway_id = "gw-1"\noutbox_path = "{outbox}"\n')
    (box / "etc/systemd/system/hearthwatch-gateway.service").write_text("[Unit]\n")
    wrapper = box / "usr/local/bin/hearthwatch"
    wrapper.write_text(
        f"#!/bin/sh\nHEARTHWATCH_GATEWAY_CONFIG={box}/etc/hearthwatch/gateway.toml exec {sys.executable} -m hearthwatch"
        ' "$@"\n'
    )
    for program in (box / "bin" / "userdel", wrapper):
        program.chmod(0o755)
    kept = opened(outbox)
    kept.accept(readings(readings_waiting))
    kept.close()
    return box


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)
