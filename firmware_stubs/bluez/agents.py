"""Who may say yes to a pairing: org.bluez.AgentManager1 and the agents that clients registered."""

from __future__ import annotations

from dbus_fast import Message, MessageType

from firmware_stubs.bluez.errors import bluez_error
from firmware_stubs.bluez.object_tree import Call, Interface, ObjectTree

MANAGER = "org.bluez.AgentManager1"
AGENT = "org.bluez.Agent1"
MANAGER_PATH = "/org/bluez"
_CAPABILITIES = {"", "DisplayOnly", "DisplayYesNo", "KeyboardOnly", "NoInputNoOutput", "KeyboardDisplay"}


class Agents:
    """One agent per client; the one that was made default last is asked when nobody in particular began the pairing."""

    def __init__(self, tree: ObjectTree) -> None:
        self._tree = tree
        self._paths: dict[str, str] = {}
        self._defaults: list[str] = []

    def shown(self) -> Interface:
        """Describe the manager for the bus."""
        methods = {
            "RegisterAgent": ("os", self._register),
            "UnregisterAgent": ("o", self._unregister),
            "RequestDefaultAgent": ("o", self._request_default),
        }
        return Interface(name=MANAGER, properties={}, methods=methods)

    def forget_client(self, client: str) -> None:
        """Forget the agent of a client that left the bus."""
        self._paths.pop(client, None)
        if client in self._defaults:
            self._defaults.remove(client)

    async def authorise(self, device: str, *, paired_by: str | None) -> bool:
        """Tell whether a "just works" pairing may go on.

        It may not without an agent. Who called Pair is taken to have said yes; else the agent is asked.
        """
        if paired_by in self._paths:
            return True
        if not self._defaults:
            return False
        return paired_by is not None or await self._ask(self._defaults[-1], device)

    async def _ask(self, client: str, device: str) -> bool:
        reply = await self._tree.bus.call(
            Message(
                destination=client,
                path=self._paths[client],
                interface=AGENT,
                member="RequestAuthorization",
                signature="o",
                body=[device],
            )
        )
        return reply.message_type is MessageType.METHOD_RETURN

    async def _register(self, call: Call) -> None:
        path, capability = call.body
        if call.sender in self._paths:
            raise bluez_error("AlreadyExists", "Already Exists")
        if capability not in _CAPABILITIES:
            raise bluez_error("InvalidArguments", "Invalid arguments in method call")
        self._paths[call.sender] = path

    async def _unregister(self, call: Call) -> None:
        self._must_be_known(call)
        self.forget_client(call.sender)

    async def _request_default(self, call: Call) -> None:
        self._must_be_known(call)
        if call.sender in self._defaults:
            self._defaults.remove(call.sender)
        self._defaults.append(call.sender)

    def _must_be_known(self, call: Call) -> None:
        if self._paths.get(call.sender) != call.body[0]:
            raise bluez_error("DoesNotExist", "Does Not Exist")
