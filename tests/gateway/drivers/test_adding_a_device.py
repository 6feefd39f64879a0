"""docs/adding-a-device.md followed to the letter, in a copy of the house: its driver is read, tested and decoded."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE_PATH = Path("docs") / "adding-a-device.md"
PAGE = (REPOSITORY / PAGE_PATH).read_text()
PACKAGES = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
VECTORS = Path("tests") / "gateway" / "drivers"
DEVICES_PAGE, DEVICES_TEST = Path("docs") / "devices.md", Path("tests") / "gateway" / "drivers" / "test_devices_page.py"

FILE = re.compile(r"^`(?P<path>[\w/]+\.py)`[^\n]*:\n\n```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^(?P<path>[\w./-]+), [^\n]+\n(?P<row>[ |][^\n]+\n)", re.MULTILINE)
ROWS_BEFORE = ("    masimo,\n", "    BLUETOOTH_SIG,\n", "    (shown(", '    "berrymed": (', "| `bluetooth_sig` |")
COMMAND = re.compile(r"```sh\n\./run hearthwatch (?P<arguments>[^\n]+)\n```\n\n```json\n(?P<prints>[^\n]+)\n```")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A copy of the house with what the page says put where it says."""

    folder: Path
    files: tuple[str, ...]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    folder = tmp_path_factory.mktemp("newcomer")
    ignored = shutil.ignore_patterns("__pycache__", "static")
    for package in (*PACKAGES, str(VECTORS)):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=ignored)
    (folder / "docs").mkdir()
    for file in (
        "pyproject.toml",
        "tests/__init__.py",
        "tests/gateway/__init__.py",
        PAGE_PATH,
        DEVICES_PAGE,
        DEVICES_TEST,
    ):
        shutil.copy(REPOSITORY / file, folder / file)
    (folder / VECTORS / Path(__file__).name).unlink()
    files = {match["path"]: match["text"] for match in FILE.finditer(PAGE)}
    for path, text in files.items():
        assert not (folder / path).exists(), path
        (folder / path).write_text(text)
    for (path, row), before in zip(ROW.findall(PAGE), ROWS_BEFORE, strict=True):
        put(folder / path, before=before, row=row)
    return Newcomer(folder=folder, files=tuple(files))


def test_the_page_has_a_driver_and_its_vectors(newcomer: Newcomer) -> None:
    assert newcomer.files == ("gateway/drivers/linden.py", "tests/gateway/drivers/test_linden.py")


def test_its_vectors_and_its_rows_pass(newcomer: Newcomer) -> None:
    """Those of Linden alone: what another driver lacks is told once, by that driver's own tests."""
    files = [str(VECTORS / f"test_{name}.py") for name in ("linden", "promises", "recognition")]
    done = newcomer.run("pytest", *files, str(DEVICES_TEST), "-k", "linden", "-v", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = Counter(re.findall(r"/(test_\w+\.py)::\S.* PASSED", done.stdout))
    assert passed["test_linden.py"] == 6
    assert set(passed) == {Path(file).name for file in (*files, DEVICES_TEST)}


def test_the_page_keeps_to_the_style_of_the_house(newcomer: Newcomer) -> None:
    checked, formatted = ("check", "--no-cache"), ("format", "--check", "--no-cache", str(PAGE_PATH))
    for order in (checked, formatted):
        done = newcomer.run("ruff", *order, *newcomer.files)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_prints_what_the_page_says(newcomer: Newcomer) -> None:
    (command,) = COMMAND.finditer(PAGE)
    done = newcomer.run("hearthwatch", *shlex.split(command["arguments"]))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(command["prints"])


def put(path: Path, *, before: str, row: str) -> None:
    text = path.read_text()
    assert before in text, f"{path.name} has no line {before!r}"
    path.write_text(text.replace(before, row + before, 1))
