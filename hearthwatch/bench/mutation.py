"""Puts small wrongs into a module and counts those that no test notices: docs/mutation.md.

`python -m hearthwatch.bench.mutation MODULE --tests tests/... [--pytest=--noconftest]`. Each wrong lives in a fork of
its own, which imports the module anew and runs the tests that reach the line, the quickest first; no file is written.
Not a command of the product: it needs pytest (the extra `dev`).
"""

import ast
import importlib
import os
import pickle
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated, Any

import pytest
import typer
from hypothesis import Phase, settings

from hearthwatch.bench.mutants import mutants_of

QUIETLY = ("-x", "-q", "-p", "no:cacheprovider", "-o", "timeout=0", "--assert=plain")
MEMORY_BYTES = 4 << 30
FATES = ("killed", "timed out", "survived", "not reached")


@dataclass(slots=True, kw_only=True)
class Seen:
    """Which lines of the module each test reaches and what it costs; under "" what importing it reaches."""

    lines: dict[str, set[int]] = field(default_factory=lambda: {"": set()})
    cost_s: dict[str, float] = field(default_factory=dict)
    passed: bool = False
    imported: list[str] = field(default_factory=list)

    def reaching(self, lines: range) -> list[str]:
        """Name the tests that reach any of these lines, the quickest first."""
        always = not self.lines[""].isdisjoint(lines)
        reached = [test for test in self.cost_s if always or not self.lines[test].isdisjoint(lines)]
        return sorted(reached, key=self.cost_s.__getitem__)


class _Watching:
    """Notes which lines of a file each test reaches."""

    def __init__(self, path: str) -> None:
        self.seen, self.path, self.test = Seen(), path, ""

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self.path:
            return None
        if event in ("line", "call"):
            self.seen.lines[self.test].add(frame.f_lineno)
        return self.trace

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.test, begun = item.nodeid, time.process_time()
        self.seen.lines[self.test] = set()
        yield
        self.seen.cost_s[item.nodeid] = time.process_time() - begun


class _Choosing:
    """Runs these tests only, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.place = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (each for each in items if each.nodeid in self.place), key=lambda each: self.place[each.nodeid]
        )


def main(
    modules: list[str],
    tests: Annotated[list[str], typer.Option(help="a test file or folder")],
    pytest_args: Annotated[list[str] | None, typer.Option("--pytest", help="an argument for pytest")] = None,
    line: Annotated[list[int] | None, typer.Option(help="only wrongs on this line")] = None,
    cpu_s: Annotated[
        float, typer.Option(help="what a wrong may cost more than the tests do, before it has no end")
    ] = 20,
) -> None:
    """Count the wrongs in MODULES that the tests do not notice."""
    phases = (Phase.explicit, Phase.generate)  # nobody reads the smallest example
    settings.register_profile(
        "mutation", deadline=None, derandomize=True, database=None, max_examples=50, phases=phases
    )
    settings.load_profile("mutation")
    given = [*QUIETLY, *(pytest_args or [])]
    for name in modules:
        fates = _judge(name, list(tests), given, set(line or ()), cpu_s)
        typer.echo(f"{name}: {sum(fates.values())} mutants, " + ", ".join(f"{fates[fate]} {fate}" for fate in FATES))


def _judge(name: str, tests: list[str], given: list[str], only: set[int], cpu_s: float) -> Counter[str]:
    module = importlib.import_module(name)  # and what it imports: the same for all forks
    path = str(module.__file__)
    tree = ast.parse(Path(path).read_text("utf-8"))
    del sys.modules[name]
    seen = _look(path, [*given, *tests])
    if not seen.passed:
        raise typer.BadParameter(f"{' '.join(tests)}: these tests do not pass by themselves, or there are none")
    for each in seen.imported:
        with suppress(ImportError):  # some are no modules of their own
            importlib.import_module(each)
    fates: Counter[str] = Counter()
    for mutant in mutants_of(tree):
        if only and mutant.line not in only:
            continue
        chosen = seen.reaching(mutant.lines)
        bound_s = cpu_s + sum(seen.cost_s[test] for test in chosen)
        fate = _fate(name, path, tree, given, chosen, bound_s) if chosen else "not reached"
        fates[fate] += 1
        if fate != "killed":
            typer.echo(f"{fate}: {os.path.relpath(path)}:{mutant.line}: {mutant.said}")
    return fates


def _look(path: str, args: list[str]) -> Seen:
    """Run the tests once as they are, in a fork."""
    out, into = os.pipe()
    if not os.fork():
        watching = _Watching(path)
        before = set(sys.modules)
        sys.settrace(watching.trace)
        watching.seen.passed = pytest.main(args, plugins=[watching]) == 0
        sys.settrace(None)
        watching.seen.imported = [each for each in sys.modules if each not in before and _is_foreign(each)]
        with os.fdopen(into, "wb") as pipe:
            pickle.dump(watching.seen, pipe)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        seen: Seen = pickle.load(pipe)
    os.wait()
    return seen


def _fate(name: str, path: str, tree: ast.Module, given: list[str], chosen: list[str], bound_s: float) -> str:
    """Run these tests against the tree as it stands, in a fork."""
    child = os.fork()
    if not child:
        _be_quiet()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, bound_s)
        code = 1
        try:
            _import(name, path, tree)
            files = dict.fromkeys(test.split("::")[0] for test in chosen)
            code = int(pytest.main([*given, *files], plugins=[_Choosing(chosen)]))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timed out" if os.WTERMSIG(status) == signal.SIGPROF else "killed"
    survived = os.WEXITSTATUS(status) in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return "survived" if survived else "killed"


def _import(name: str, path: str, tree: ast.Module) -> None:
    """Let the tree be the module from now on: whoever uses it has not been imported yet."""
    module = ModuleType(name)
    module.__file__, module.__package__ = path, name.rpartition(".")[0]
    sys.modules[name] = module
    exec(compile(tree, path, "exec"), module.__dict__)
    parent, _, last = name.rpartition(".")
    setattr(sys.modules[parent], last, module)


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _is_foreign(name: str) -> bool:
    file: str = getattr(sys.modules[name], "__file__", None) or ""
    return file != "" and (file.startswith(sys.prefix) or not file.startswith(str(Path.cwd())))


if __name__ == "__main__":
    typer.run(main)
