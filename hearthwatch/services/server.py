"""A server of the outside world, as a child of ours: prepared once, then started, killed, started again, stopped."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hearthwatch.services.places import Instance
from hearthwatch.services.ports import free_port
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.supervisor import State, Supervisor


class Server(ABC):
    """One real server on a loopback port of its own, with files of its own.

    The constructor prepares (it may fetch and initialise, and take seconds); nothing runs until `start`. The port
    and the files stay the same over `kill` and `start`. To have it restarted by itself, hand `process()` to a
    Supervisor instead of calling `start`.
    """

    def __init__(self, name: str, parent: Path, instance: str | None = None, *, port: int | None = None) -> None:
        self.name = name
        self.port = port or free_port()
        self._instance = Instance(parent, instance)
        self._own: Supervisor | None = None

    @abstractmethod
    def process(self) -> ProcessSpec:
        """Answer how to run the server in the foreground."""

    @property
    def directory(self) -> Path:
        """The folder of the server's files, as seen from outside any chroot."""
        return self._instance.path

    @property
    def pid(self) -> int:
        """The pid of the server started by `start`."""
        return self._supervisor.pid(self.name)

    @property
    def running(self) -> bool:
        """Whether the server started by `start` is up."""
        return self.name in self._supervisor.names() and self._supervisor.state(self.name) is State.READY

    def start(self) -> None:
        """Start the server and return when it answers."""
        self._supervisor.start(replace(self.process(), restart=False))

    def kill(self) -> None:
        """SIGKILL the server and return when it is gone."""
        self._supervisor.kill(self.name)
        self._supervisor.wait_until_ended(self.name)

    def restart(self) -> None:
        """SIGKILL the server and start it on the same port and files."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Stop the server in good order; its files stay."""
        self._supervisor.stop_all()

    def close(self) -> None:
        """Stop the server and let go of its files: a temporary instance is removed."""
        self.stop()
        self._instance.release()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    @property
    def _supervisor(self) -> Supervisor:
        if self._own is None:
            self._own = Supervisor(self.directory / "log")
        return self._own
