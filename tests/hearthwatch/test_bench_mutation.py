"""Counting the wrongs that no test notices: a weak test lets them through, a good one does not, no file is touched."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RULE = '''"""A limit."""


def is_low(value: int) -> bool:
    return value < 93
'''
WAIT = '''"""A wait."""


def until_nought(left: int) -> int:
    while left > 0:
        left -= 1
    return left


def never_asked() -> int:
    return 7
'''
TESTS = {
    "test_weak.py": "from ward.rule import is_low\n\n\ndef test_it():\n    assert is_low(80) and not is_low(97)\n",
    "test_good.py": "from ward.rule import is_low\n\n\ndef test_it():\n    assert is_low(92) and not is_low(93)\n",
    "test_wait.py": "from ward.wait import until_nought\n\n\ndef test_it():\n    assert until_nought(3) == 0\n",
    "test_wrong.py": "def test_it():\n    import ward.rule\n    assert not ward.rule.is_low(80)\n",
}


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    package = tmp_path / "ward"
    package.mkdir()
    files = {"__init__.py": "", "rule.py": RULE, "wait.py": WAIT}
    for folder, named in ((package, files), (tmp_path, TESTS | {"pytest.ini": "[pytest]\n"})):
        for name, body in named.items():
            (folder / name).write_text(body, encoding="utf-8")
    return tmp_path


def count(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hearthwatch.bench.mutation", *args, "--pytest=-pno:randomly"]
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    environment = os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_weak_test_lets_wrongs_at_the_limit_through_and_a_good_one_does_not(ward: Path) -> None:
    weak = count(ward, "ward.rule", "--tests", "test_weak.py").stdout.splitlines()
    assert weak[-1] == "ward.rule: 4 mutants, 1 killed, 0 timed out, 3 survived, 0 not reached"
    assert "survived: ward/rule.py:5: value < 93  ->  value <= 93" in weak
    good = count(ward, "ward.rule", "--tests", "test_weak.py", "--tests", "test_good.py").stdout.splitlines()
    assert good[-1] == "ward.rule: 4 mutants, 4 killed, 0 timed out, 0 survived, 0 not reached"
    assert (ward / "ward" / "rule.py").read_text(encoding="utf-8") == RULE


def test_what_never_ends_is_ended_and_what_no_test_reaches_is_said(ward: Path) -> None:
    said = count(ward, "ward.wait", "--tests", "test_wait.py", "--cpu-s", "1").stdout.splitlines()
    assert "timed out: ward/wait.py:6: left -= 1  ->  pass" in said
    assert "not reached: ward/wait.py:11: 7  ->  8" in said


def test_one_line_can_be_looked_at_again(ward: Path) -> None:
    said = count(ward, "ward.wait", "--tests", "test_wait.py", "--line", "7").stdout.splitlines()
    assert said[-1] == "ward.wait: 1 mutants, 1 killed, 0 timed out, 0 survived, 0 not reached"


def test_tests_that_fail_by_themselves_count_nothing(ward: Path) -> None:
    done = count(ward, "ward.rule", "--tests", "test_wrong.py")
    assert done.returncode != 0
    assert "do not pass by themselves" in done.stderr
