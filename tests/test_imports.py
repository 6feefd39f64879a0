"""The import rules of the house: kept as it stands, and each broken by the import it forbids."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LINTER = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
PACKAGES = LINTER["root_packages"]

VIOLATIONS = {
    "rooms build downwards": ("care/__init__.py", "import alerting"),
    "the gateway knows only vitals": ("gateway/__init__.py", "import ingest"),
    "the server's rooms do not know the gateway": ("dashboards/__init__.py", "import gateway"),
    "firmware_stubs is an independent oracle": ("firmware_stubs/__init__.py", "import vitals"),
    "only demo and benchmarks import firmware_stubs": ("hearthwatch/settings.py", "import firmware_stubs"),
    "cores do no IO": ("vitals/__init__.py", "def f() -> None:\n    import psycopg"),
    "gateway: rooms build downwards": ("gateway/clocks/boots.py", "from gateway.outbox import outbox"),
    "gateway: a core imports no shell": ("gateway/outbox/rows.py", "from gateway.outbox import outbox"),
    "ingest: rooms build downwards": ("ingest/store/trouble.py", "from ingest.broker import pages"),
    "ingest: a core imports no shell": ("ingest/http/pace.py", "from ingest.http import desk"),
    "care: each file is a shell or a core": ("care/registry.py", "from care import sql"),
    "alerting: rooms build downwards": ("alerting/spot/spells.py", "from alerting import desk"),
    "alerting: a core imports no shell": ("alerting/engine/table.py", "from alerting import desk"),
    "dashboards: each file is a shell or a core": ("dashboards/stray.py", ""),
    "hearthwatch: each file has its place": ("hearthwatch/stray.py", ""),
    "hearthwatch.services: each file has its place": ("hearthwatch/services/ports.py", "from . import server"),
    "hearthwatch.site: each file has its place": ("hearthwatch/site/ledger.py", "from . import folder"),
    "hearthwatch.doctor: each file has its place": (
        "hearthwatch/doctor/mosquitto_settings.py",
        "from . import machine",
    ),
}


def test_every_package_at_the_root_is_under_the_rules() -> None:
    found = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert found - {"tests"} == set(PACKAGES)


def test_every_contract_has_a_violation_here() -> None:
    for contract in LINTER["contracts"]:
        assert any(contract["name"].startswith(name) for name in VIOLATIONS), contract["name"]


def test_every_core_of_a_room_is_held_to_do_no_io() -> None:
    contracts = {each["name"]: each for each in LINTER["contracts"]}
    held = set(contracts["cores do no IO"]["source_modules"])
    for name, contract in contracts.items():
        if name.endswith("a shell or a core"):
            (room,) = contract["containers"]
            _, cores = contract["layers"]
            assert {f"{room}.{core.strip()}" for core in cores.split(":")} <= held, name


@pytest.mark.parametrize("house", ["gateway", "ingest", "alerting"])
def test_every_file_of_a_house_with_rooms_is_a_shell_or_a_core(house: str) -> None:
    contracts = {each["name"]: each for each in LINTER["contracts"]}
    contract = contracts[f"{house}: a core imports no shell"]
    cores, shells = set(contract["source_modules"]), set(contract["forbidden_modules"])
    assert cores <= set(contracts["cores do no IO"]["source_modules"])
    files = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in (REPOSITORY / house).rglob("*.py")
        if path.name != "__init__.py"
    }
    named = {file for file in files if file in cores | shells or file.rpartition(".")[0] in cores}
    assert named == files
    assert shells <= files
    assert not cores & shells


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throwaway copy of the packages."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "static", "locale")
        shutil.copytree(REPOSITORY / package, folder / package, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def test_the_house_as_it_stands_keeps_its_contracts(copy: Path) -> None:
    done = _lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(copy: Path, contract: str) -> None:
    name, violation = VIOLATIONS[contract]
    file = copy / name
    before = file.read_text() if file.exists() else None
    file.write_text(f"{before or ''}\n{violation}\n")
    try:
        done = _lint(copy)
    finally:
        file.unlink() if before is None else file.write_text(before)
    assert done.returncode != 0
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), done.stdout


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on the copy, which stands before the installed packages on the path."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
