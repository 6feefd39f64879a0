"""paho's client with a network thread that goes on: an exception in it would end it, and paho would tell nobody.

Its files of TLS are read anew for every connection: one that is renewed or mended is used without a restart.
"""

import ssl
from collections.abc import Callable
from threading import Event
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

RESTART_S = 5.0


class UnendingClient(Client):
    """Where its thread would have ended, `on_crash` hears why, on that thread, and `begin` is to call the broker anew.

    Not only a bug does it: paho expects nothing but OSError of a host's name, and of a topic that it is UTF-8.
    `tls` gives the context of one connection, on that thread; an OSError of it is a connection that failed.
    """

    def __init__(
        self,
        *args: Any,
        on_crash: Callable[[Exception], None],
        begin: Callable[[], None],
        restart_s: float,
        tls: Callable[[], ssl.SSLContext] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._on_crash = on_crash
        self._begin = begin
        self._restart_s = restart_s
        self._tls = tls
        self._stopped = Event()

    def reconnect(self) -> MQTTErrorCode:
        """Call the broker. Raises OSError."""
        if self._tls is not None:
            context = self._tls()
            self._ssl_context = None  # paho takes one context, for ever
            self.tls_set_context(context)
        return super().reconnect()

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Work until told to stop."""
        while True:
            try:
                return super().loop_forever(timeout, retry_first_connection)
            except Exception as exc:  # noqa: BLE001 - the outermost loop of the thread
                self._on_crash(exc)
                if self._stopped.wait(self._restart_s):
                    return MQTTErrorCode.MQTT_ERR_UNKNOWN
                self._begin()

    def loop_stop(self) -> MQTTErrorCode:
        """End the thread and wait for its end."""
        self._stopped.set()
        return super().loop_stop()
