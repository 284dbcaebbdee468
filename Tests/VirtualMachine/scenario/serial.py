"""The serial lines to the guest: one on which its agent runs commands, one at which a person logs in."""

import base64
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from transcript import GONE, Broken


class SerialLine:
    def __init__(self, path: Path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._seen = b""

    def send(self, text: str) -> None:
        try:
            self._socket.sendall(text.encode())
        except BrokenPipeError:
            raise Broken(GONE) from None

    def wait_for(self, pattern: bytes, deadline: float) -> re.Match[bytes] | None:
        """The first match of `pattern` in what the guest writes, which is then used up to its end. None if it does not come."""
        while (match := re.search(pattern, self._seen)) is None:
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
            self._seen += received
        self._seen = self._seen[match.end():]
        return match


@dataclass
class Output:
    status: int
    text: str


class Agent:
    """Runs commands in the guest. The protocol is described in guest/usr/local/sbin/test-agent."""

    def __init__(self, line: SerialLine):
        self._line = line
        # No number of a machine that hibernated since: its agent would take the request for one that it has served.
        self._requests = int(time.time() * 1000)

    def run(self, command: str, within: float = 60) -> Output:
        """Runs `command` as root, exactly once, however often the line must be asked for the answer."""
        self._requests += 1
        encoded = base64.b64encode(command.encode()).decode()
        # The line break before it ends whatever was left of a damaged request.
        request = f"\nrun {self._requests} {_sum(encoded)} {encoded}\n"
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            self._line.send(request)
            ask_again = min(deadline, time.monotonic() + 3)
            if (output := self._answer(ask_again)) is not None:
                return output
        raise Broken(f"the guest did not answer within {within:.0f} s: {command}")

    def _answer(self, deadline: float) -> Output | None:
        while (match := self._line.wait_for(rb"\nran (\d+) (\d+) ((\d+) (\S*))\n", deadline)) is not None:
            request, sum, answer, status, text = (group.decode() for group in match.groups())
            if int(request) == self._requests and sum == _sum(answer):
                return Output(int(status), base64.b64decode(text).decode(errors="replace").strip())
        return None


def _sum(text: str) -> str:
    """What cksum(1) prints: CRC-32 of the bytes and of their number, as POSIX defines it."""
    data = text.encode()
    length = len(data)
    while length:
        data += bytes([length & 0xFF])
        length >>= 8
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return str(crc ^ 0xFFFFFFFF)
