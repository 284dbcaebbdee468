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

    def __init__(self, transcript: Transcript, keeps_disk: bool = False):
        """`keeps_disk`: what the guest writes is there again after `power_on`; otherwise it is gone with the machine."""
        self._transcript = transcript
        self._snapshot = "off" if keeps_disk else "on"
        self._clock_ahead = 0.0

    def __enter__(self) -> "Machine":
        self._start()
        return self

    def _start(self) -> None:
        sockets = [Path("qmp.socket"), Path("agent.socket"), Path("login.socket")]
        for path in sockets:
            path.unlink(missing_ok=True)
        self._qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"]
            # q35 suspends only once. Emulation, because a /dev/kvm that opens may still not run this kernel.
            + ["-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "qemu64", "-smp", "2", "-m", "512"]
            + ["-nodefaults", "-nic", "none", "-display", "none", "-no-reboot", "-no-shutdown", "-rtc", f"base={self._rtc_base()},clock=host"]
            + ["-kernel", "kernel/vmlinuz", "-initrd", "kernel/initrd"]
            + ["-append", KERNEL_ARGUMENTS]
            + ["-drive", f"file=disk.img,format=raw,if=virtio,cache=unsafe,snapshot={self._snapshot}"]
            + ["-drive", f"file=swap.img,format=raw,if=virtio,cache=unsafe,snapshot={self._snapshot}"]
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

    def __exit__(self, *_: object) -> None:
        self._qemu.kill()
        self._qemu.wait()

    def power_on(self, at: float) -> None:
        """Starts the machine again after `expect_power_off`, with the disks as they were left.

        `at`: what its RTC shows then. Nobody waits for the night: the clock of a machine that is off can be moved on.
        """
        self.__exit__()
        self._clock_ahead = at - time.time()
        self._start()
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
        self._transcript.say(f"  -- the machine is powered on; its RTC shows {clock}")
        # A boot, or the way back from hibernation, takes a busy host a while.
        self.agent.run("true", within=300)

    def _rtc_base(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + self._clock_ahead))

    def expect_power_off(self, within: float) -> float:
        """Waits until the guest has powered the machine off; the time at which it did."""
        return self._expect("SHUTDOWN", "the machine powers off", within)

    def rtc_alarm(self) -> str | None:
        """The alarm that stands in the registers of the RTC, as HH:MM:SS of its own clock; None where it is off.

        Also of a machine that is powered off: this is what real hardware would go by.
        """
        control = self._rtc_register(0x0B)
        if not control & 0x20:
            return None
        fields = [self._rtc_register(register) for register in (5, 3, 1)]
        if not control & 0x04:
            fields = [(field >> 4) * 10 + (field & 15) for field in fields]
        return ":".join(f"{field:02d}" for field in fields)

    def _rtc_register(self, register: int) -> int:
        self._qmp.monitor(f"o /b 0x70 {register}")
        return int(self._qmp.monitor("i /b 0x71").partition("=")[2], 16)

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
