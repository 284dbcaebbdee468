"""QEMU's own account of the machine (QEMU Machine Protocol): what it is told to do, and the sleep events it reports."""

import json
import socket
import time
from pathlib import Path
from typing import Any

from transcript import GONE, Broken


class QMP:
    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._unread = b""
        self._events: list[tuple[str, float]] = []
        self._next_message(time.monotonic() + 10)  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: str) -> Any:
        """Has QEMU do `name` and returns what it answers."""
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        deadline = time.monotonic() + 30
        while (message := self._next_message(deadline)) is not None:
            if "error" in message:
                raise Broken(f"QEMU refused {name}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
        raise Broken(f"QEMU did not answer {name}")

    def monitor(self, line: str) -> str:
        """What QEMU's monitor for people answers to `line`."""
        return str(self.command("human-monitor-command", **{"command-line": line}))

    def wait_for(self, event: str, within: float) -> float | None:
        """The time at which `event` happened, once: each event is given out to one caller. None if it does not come."""
        deadline = time.monotonic() + within
        while True:
            for entry in self._events:
                if entry[0] == event:
                    self._events.remove(entry)
                    return entry[1]
            if self._next_message(deadline) is None:
                return None

    def _next_message(self, deadline: float) -> dict[str, Any] | None:
        while b"\n" not in self._unread:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            self._socket.settimeout(remaining)
            try:
                received = self._socket.recv(65536)
            except TimeoutError:
                return None
            except ConnectionResetError:
                received = b""
            if not received:
                raise Broken(GONE)
            self._unread += received
        line, self._unread = self._unread.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        if "event" in message:
            stamp = message["timestamp"]
            self._events.append((message["event"], stamp["seconds"] + stamp["microseconds"] / 1e6))
        return message
