"""What the test does and sees in the guest, in the words of the scenario."""

import json
import time
from datetime import datetime
from collections.abc import Callable

from machine import Machine
from serial import Output
from transcript import Broken, Transcript

DECISION = "ce372310c0de429f963904684a48b9da"  # MESSAGE_ID of sleep and wake decisions
ALARM = "66d7f14208e74faab689affbb5965a09"
STARTED = "54cc1f46a6b448899f14ebc8e1c91790"
FINISHED = "782b279e4aed49008a521705136ad691"

CONFIGURATION = """\
backups:
  server:
    description: The backup of the test
    schedule: "*-*-* {time}"
    wake: true
    wake_lead: {lead}s
    wake_grace: 0s
    after: {after}
    after_delay: {delay}s
"""


class Guest:
    def __init__(self, machine: Machine, transcript: Transcript):
        self._machine = machine
        self._transcript = transcript

    # The two ways to run a command: seen in the transcript, or quietly.

    def show(self, command: str, within: float = 60) -> Output:
        self._transcript.say(f"  # {command}")
        output = self.ask(command, within)
        self._transcript.quote(output.text)
        return output

    def ask(self, command: str, within: float = 60) -> Output:
        return self._machine.agent.run(command, within)

    def demand(self, command: str, within: float = 60) -> str:
        """The output of a command that cannot fail unless the guest is broken."""
        output = self.ask(command, within)
        if output.status != 0:
            raise Broken(f"the guest can do: {command}\nexit status {output.status}: {output.text}")
        return output.text

    def wait_until(self, promise: str, holds: Callable[[], bool], within: float = 60) -> None:
        deadline = time.monotonic() + within
        while not holds():
            if time.monotonic() > deadline:
                raise Broken(f"{promise}\nnot so within {within:.0f} s")
            time.sleep(0.5)
        self._transcript.promise(True, promise)

    # The clock.

    def now(self) -> float:
        return float(self.demand("date +%s.%N"))

    # Backups. The backup script of the test goes on for as long as a file exists.

    def schedule(self, ahead: int, lead: int, delay: int, after: str = "return") -> int:
        """Has `server` run once a day, next in `ahead` seconds, waking the machine; the time of that elapse."""
        elapse = int(self.now()) + ahead
        text = CONFIGURATION.format(time=time.strftime("%H:%M:%S", time.gmtime(elapse)), lead=lead, delay=delay, after=after)
        self._transcript.quote(text)
        self.demand(f"cat >/etc/lightsout/lightsout.yaml <<'END'\n{text}END")
        self.demand("systemctl reload lightsoutd.service")
        self.wait_until("lightsout next tells that it will wake the machine for it", lambda: self._wakes_for(elapse))
        return elapse

    def _wakes_for(self, elapse: int) -> bool:
        listed = self.ask("lightsout next --json")
        return listed.status == 0 and any(
            entry["backup"] == "server" and entry["wake"] and datetime.fromisoformat(entry["elapse"]).timestamp() == elapse
            for entry in json.loads(listed.text)
        )

    def let_backups_go_on(self) -> None:
        self.demand("touch /run/backup-goes-on")

    def let_backups_end(self) -> None:
        self.demand("rm /run/backup-goes-on")

    def script_is_running(self) -> bool:
        return self.ask('[ "$(cat /var/log/backups-begun | wc -l)" -gt "$(cat /var/log/backups-ended | wc -l)" ]').status == 0

    def backup_is_over(self) -> bool:
        return self.ask("systemctl is-active lightsout-backup@server.service").text == "inactive"

    def last_begin(self) -> tuple[float, str]:
        """When the script's first line ran, and what triggered it by its environment."""
        at, _, trigger = self.demand("tail -n 1 /var/log/backups-begun").partition(" ")
        return float(at), trigger

    def locks(self) -> str:
        """The locks that logind lists."""
        return self.demand("systemd-inhibit --list --no-legend")

    def locks_at_first_line(self) -> str:
        """The same as the script of the last backup saw them, before it did anything else."""
        return self.demand("cat /run/locks-at-first-line")

    # Sleep.

    def have_alice_suspend_soon(self) -> None:
        """Alice's `systemctl suspend`, a second from now: this very answer would be lost in the suspend."""
        self.demand(
            "systemd-run --quiet --uid=alice --on-active=1s --timer-property=AccuracySec=10ms systemctl suspend"
        )

    def go_off_soon(self, verb: str) -> None:
        """Root's `systemctl VERB`, a second from now: this very answer would be lost in it."""
        self.demand(f"systemd-run --quiet --on-active=1s --timer-property=AccuracySec=10ms systemctl {verb}")

    def move_lid(self, position: str) -> None:
        self.demand(f"echo {position} >/run/lid")

    def set_idle_action(self, action: str, after: int = 2) -> None:
        self.demand(
            "mkdir -p /run/systemd/logind.conf.d"
            f" && printf '[Login]\\nIdleAction={action}\\nIdleActionSec={after}s\\n' >/run/systemd/logind.conf.d/idle.conf"
            " && systemctl restart systemd-logind.service"
        )

    def logind_said(self, text: str, since: float) -> bool:
        return text in self.demand(f"journalctl --unit=systemd-logind --output=cat --since=@{since:.3f}")

    # People.

    def log_in_at_the_terminal(self) -> None:
        """Types alice's name and password at the third serial port, as she would."""
        line = self._machine.login_line
        self.demand("systemctl start serial-getty@ttyS2.service")
        for expected, typed in ((rb"login: ", "alice\n"), (rb"Password: ", "sesame\n"), (rb"\$ ", "")):
            if line.wait_for(expected, time.monotonic() + 60) is None:
                raise Broken(f"alice can log in\nthe terminal did not show {expected.decode()!r}")
            line.send(typed)

    # The journal.

    def records(self, message_id: str, since: float) -> list[dict[str, str]]:
        lines = self.demand(f"journalctl --output=json MESSAGE_ID={message_id} --since=@{since:.3f}")
        return [json.loads(line) for line in lines.splitlines()]

    def show_alarms(self, since: float) -> list[dict[str, str]]:
        """What became of the hardware clock's alarm, by the journal; also quoted in the transcript."""
        records = self.records(ALARM, since)
        for record in records:
            self._transcript.quote(f"[alarm {record.get('LIGHTSOUT_ALARM')}] {record.get('MESSAGE')}")
        return records

    def show_decisions(self, since: float) -> list[dict[str, str]]:
        """The decisions on sleeping and waking that were journaled, also quoted in the transcript."""
        decisions = self.records(DECISION, since)
        for record in decisions:
            at = time.strftime("%H:%M:%S", time.gmtime(int(record["__REALTIME_TIMESTAMP"]) / 1e6))
            self._transcript.quote(f"{at} [{record.get('LIGHTSOUT_ACTION')}] {record.get('MESSAGE')}")
        return decisions


def blocks_sleep(locks: str) -> bool:
    """Whether lightsout holds a block lock on sleep, by logind's list."""
    return any(
        line.startswith("lightsout ") and "sleep" in line and line.rstrip().endswith("block")
        for line in locks.splitlines()
    )
