"""What a box in a home has installed: the gateway's extra and nothing else, made of links into this installation.

Developers and CI have every extra in one place, where a gateway could load what no Pi has and nobody would see. An
interpreter that runs here (`command`, `environment`) knows the standard library and the links: what is measured is what
is installed at home.
"""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

OURS, EXTRA = "hearthwatch", "gateway"
PACKAGES = ("gateway", "vitals", "hearthwatch")
STRANGERS = ("numpy", "bumble", "psycopg", "fastapi", "playwright")
"""What the other extras bring; none of it may be to be had."""

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_PROBE = """
import importlib.util, sys
import gateway.app, gateway.commands  # compiled from here on, as an installer leaves them
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A folder of links, and the names that lie in it."""

    folder: Path
    distributions: tuple[str, ...]
    names: frozenset[str]

    @property
    def command(self) -> tuple[str, ...]:
        """Begin a command that runs with this installation alone: no site-packages, no present folder."""
        return (sys.executable, "-P", "-S")

    @property
    def environment(self) -> dict[str, str]:
        """Give the variables that such a command needs."""
        return {"PYTHONPATH": str(self.folder)}

    def strangers(self) -> tuple[str, ...]:
        """Ask its interpreter which libraries of other extras can be imported all the same."""
        done = subprocess.run(
            [*self.command, "-c", _PROBE, *STRANGERS], env=self.environment, capture_output=True, text=True, check=True
        )
        return tuple(done.stdout.split())

    def foreign(self, loaded: Iterable[str]) -> tuple[str, ...]:
        """Of the installed libraries that a process has loaded, name those that do not lie here."""
        return tuple(sorted(set(loaded) - self.names))


def gateway_alone(folder: Path) -> Installation:
    """Make an installation of the gateway's extra in a folder."""
    folder.mkdir(parents=True)
    found = {dist.name: dist for dist in _needed(OURS, EXTRA)}
    for dist in found.values():
        for top in {file.parts[0] for file in dist.files or ()}:
            if top not in ("..", "__pycache__") and (dist.name != OURS or top.endswith(".dist-info")):
                (folder / top).symlink_to(Path(str(dist.locate_file(top))))
    for package in PACKAGES:
        (folder / package).symlink_to(_place_of(package))
    _compile(folder)
    return Installation(
        folder=folder,
        distributions=tuple(sorted(f"{dist.name} {dist.version}" for dist in found.values())),
        names=frozenset(link.name for link in folder.iterdir()),
    )


def _compile(folder: Path) -> None:
    """Compile the bytecode as deploy/gateway/install.sh does: a process that compiles as it starts keeps 6 MB more."""
    places = [str(link.resolve()) for link in folder.iterdir() if not link.name.endswith(".dist-info")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *places], check=True)


def _needed(name: str, extra: str, seen: set[tuple[str, str]] | None = None) -> Iterator[Distribution]:
    """Give a distribution and all that it needs. What a marker asks for and is not here is for other machines."""
    seen = set() if seen is None else seen
    if (name, extra) in seen:
        return
    seen.add((name, extra))
    try:
        dist = distribution(name)
    except PackageNotFoundError:
        return
    yield dist
    for line in dist.requires or ():
        wanted, _, marker = line.partition(";")
        asked = _EXTRA.search(marker)
        if asked is not None and asked[1] != extra:
            continue
        match = _NAME.match(wanted)
        assert match is not None, line
        extras = re.search(r"\[(.+?)\]", wanted)
        for its_extra in ("", *(extras[1].replace(" ", "").split(",") if extras else ())):
            yield from _needed(match[0], its_extra, seen)


def _place_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None, package
    assert spec.submodule_search_locations, package
    return Path(spec.submodule_search_locations[0])
