"""`lightsout check --wake` on a machine that really sleeps."""

import time

from guest import Guest
from machine import Machine
from transcript import Transcript


def tells_whether_the_machine_wakes(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("lightsout check --wake: the machine suspends, and its RTC wakes it a minute later")
    begins(guest, "suspend")
    slept = machine.expect_suspend(within=60)
    woken = machine.expect_wakeup(within=90)
    said = ends(guest, transcript, status=0)
    transcript.promise("It works: the hardware clock (rtc0) woke the machine from suspend." in said, "it says that it works", said)
    told = seconds(said, "asleep")
    transcript.promise(abs(told - (woken - slept)) < 3, f"it was asleep {woken - slept:.1f} s by QEMU, and {told} s by lightsout", said)

    transcript.heading("somebody else wakes it")
    begins(guest, "suspend")
    machine.expect_suspend(within=60)
    time.sleep(5)
    machine.wake_up()
    machine.expect_wakeup(within=30)
    said = ends(guest, transcript, status=1)
    transcript.promise("something else woke the machine from suspend" in said, "it says so", said)

    transcript.heading("lightsout check --wake=hibernate")
    begun = guest.now()
    begins(guest, "hibernate")
    machine.expect_power_off(within=120)
    alarm = machine.rtc_alarm()
    # It shows no date.
    at = next(t for t in range(int(begun), int(begun) + 400) if time.strftime("%H:%M:%S", time.gmtime(t)) == alarm)
    transcript.promise(175 < at - begun < 215, f"the alarm stands in its RTC: {alarm}", f"{at - begun:.0f} s ahead")
    machine.power_on(at=at)
    said = ends(guest, transcript, status=0)
    transcript.promise("woke the machine from hibernation" in said, "it says that it works", said)
    transcript.promise(seconds(said, "waking up") > 2, "the boot counts as waking up", said)
    left = guest.demand("cat /sys/class/rtc/rtc0/wakealarm")
    transcript.promise(left == "", "no alarm is left over", left)


def begins(guest: Guest, kind: str) -> None:
    # Its answer would be lost in the sleep.
    guest.demand(
        "systemctl reset-failed trial.service 2>/dev/null; systemd-run --quiet --unit=trial --remain-after-exit"
        f" sh -c 'lightsout check --wake={kind} --yes >/run/trial 2>&1; echo $? >/run/trial.status'"
    )


def ends(guest: Guest, transcript: Transcript, status: int) -> str:
    guest.wait_until("it has ended", lambda: guest.ask("test -s /run/trial.status").status == 0, within=120)
    said = guest.demand("cat /run/trial")
    transcript.quote(said)
    found = guest.demand("cat /run/trial.status; rm /run/trial.status; systemctl stop trial.service")
    transcript.promise(found == str(status), f"its exit status is {status}", found)
    return said


def seconds(said: str, step: str) -> float:
    return next(float(line.split()[-1].rstrip("s")) for line in said.splitlines() if line.strip().startswith(step))
