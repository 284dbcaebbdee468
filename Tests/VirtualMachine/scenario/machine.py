"""The virtual machine: QEMU with a PC whose suspend (S3) and RTC are those of real hardware."""

import subprocess
import time
from pathlib import Path

from qmp import QMP
from serial import Agent, SerialLine
from transcript import Broken, Transcript

KERNEL_ARGUMENTS = "console=ttyS0 tsc=unstable random.trust_cpu=on no_console_suspend panic=-1"


class Machine:
    """A running machine; as a context manager it is gone at the end, whatever happens.

    Its kernel, disk, console and sockets are files of the working directory: the path of a socket must be short.
    """

    def __init__(self, transcript: Transcript):
        self._transcript = transcript

    def __enter__(self) -> "Machine":
        sockets = [Path("qmp.socket"), Path("agent.socket"), Path("login.socket")]
        for path in sockets:
            path.unlink(missing_ok=True)
        self._qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"]
            # q35 suspends only once. Emulation, because a /dev/kvm that opens may still not run this kernel.
            + ["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "512"]
            + ["-nodefaults", "-nic", "none", "-display", "none", "-no-reboot", "-rtc", "base=utc,clock=host"]
            + ["-kernel", "kernel/vmlinuz", "-initrd", "kernel/initrd"]
            + ["-append", KERNEL_ARGUMENTS]
            + ["-drive", "file=disk.img,format=raw,if=virtio,snapshot=on"]
            + ["-qmp", "unix:qmp.socket,server=on,wait=off"]
            + ["-serial", "file:console.txt"]
            + ["-serial", "unix:agent.socket,server=on,wait=off"]
            + ["-serial", "unix:login.socket,server=on,wait=off"]
        )
        try:
            self._await(sockets)
            qmp, agent, login = sockets
            self._qmp = QMP(qmp)
            self.agent = Agent(SerialLine(agent))
            self.login_line = SerialLine(login)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._qemu.kill()
        self._qemu.wait()

    def press_power_key(self) -> None:
        self._qmp.command("system_powerdown")

    def wake_up(self) -> None:
        """What a person at the keyboard does; the scenario's own wake-ups come from the guest's RTC."""
        self._qmp.command("system_wakeup")

    def is_running(self) -> bool:
        return bool(self._qmp.command("query-status")["status"] == "running")

    def expect_suspend(self, within: float) -> float:
        """Waits until QEMU reports that the guest has suspended; the time at which it did."""
        return self._expect("SUSPEND", "the machine suspends", within)

    def expect_wakeup(self, within: float) -> float:
        return self._expect("WAKEUP", "the machine wakes up", within)

    def expect_no_suspend(self, during: float) -> None:
        if self._qmp.wait_for("SUSPEND", during) is not None:
            raise Broken("the machine stays awake\nit suspended (QMP event SUSPEND)")
        self._transcript.say(f"  ok the machine stays awake (no QMP event SUSPEND in {during:.0f} s)")

    def _expect(self, event: str, promise: str, within: float) -> float:
        at = self._qmp.wait_for(event, within)
        if at is None:
            raise Broken(f"{promise}\nno QMP event {event} within {within:.0f} s")
        clock = time.strftime("%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}"
        self._transcript.say(f"  ok {promise} (QMP event {event} at {clock})")
        return at

    def _await(self, paths: list[Path]) -> None:
        deadline = time.monotonic() + 30
        while not all(path.exists() for path in paths):
            if self._qemu.poll() is not None or time.monotonic() > deadline:
                raise Broken("QEMU starts\nit ended, or did not open its sockets: see the lines above")
            time.sleep(0.05)
