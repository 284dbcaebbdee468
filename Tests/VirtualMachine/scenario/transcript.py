"""What the test says: to the terminal as it happens, and to a file that stays."""

import time
from pathlib import Path

GONE = "QEMU runs until the end\nit has ended: console.txt has the guest's last words"


class Broken(Exception):
    """A promise that was not kept; its text says which, and what was seen instead."""


class Transcript:
    def __init__(self, path: Path):
        self._file = path.open("w")
        self._begun = time.monotonic()

    def say(self, text: str) -> None:
        """Writes every line of `text` with the time of day and the seconds since the start."""
        now = time.time()
        stamp = time.strftime("%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}"
        for line in text.splitlines():
            whole = f"{stamp} {time.monotonic() - self._begun:7.1f}s  {line}".rstrip()
            print(whole, flush=True)
            print(whole, file=self._file, flush=True)

    def heading(self, text: str) -> None:
        self.say(f"== {text}")

    def quote(self, text: str) -> None:
        """Writes what the guest printed, indented."""
        self.say("\n".join("     | " + line for line in text.splitlines()))

    def promise(self, kept: bool, promise: str, otherwise: str = "") -> None:
        """Notes a promise that is kept; raises `Broken` with what was seen when it is not."""
        if not kept:
            raise Broken(f"{promise}\n{otherwise}".strip())
        self.say(f"  ok {promise}")
