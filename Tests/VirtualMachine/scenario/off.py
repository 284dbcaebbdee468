"""The scenario: the machine is off, hibernated or powered off, and its RTC switches it on for the backup.

QEMU's RTC switches no machine on. It has the alarm in its registers as real hardware does, and the scenario goes by that:
it reads the registers of the machine that is off, and powers the machine on at that time, by the machine's own clock.
"""

import time

from boot import boots
from guest import FINISHED, STARTED, Guest, blocks_sleep
from machine import Machine
from transcript import Transcript
from trial import tells_whether_the_machine_wakes

# Seconds.
AHEAD = 1500  # from the configuration to the scheduled backup
LEAD = 60  # the machine wakes up so long before it
DELAY = 8  # the machine stays up so long after it
PUNCTUAL = 30  # a backup that begins so late is on time still, on an emulated machine whose host is busy


def scenario(machine: Machine, transcript: Transcript) -> None:
    guest = Guest(machine, transcript)
    boots(guest, transcript)
    guest.show("cat /sys/power/disk; swapon --show; cat /sys/class/rtc/rtc0/device/power/wakeup")
    tells_whether_the_machine_wakes(machine, guest, transcript)
    guest.let_backups_go_on()
    hibernates(machine, guest, transcript)
    suspends_then_hibernates(machine, guest, transcript)
    powers_off(machine, guest, transcript)
    powers_itself_off(machine, guest, transcript)
    transcript.heading("what an administrator reads afterwards")
    guest.show("journalctl --quiet --identifier=lightsout --identifier=lightsoutd")


def hibernates(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("the machine hibernates: its RTC wakes it for the backup")
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=DELAY)
    begun = guest.now()
    guest.show("cat /run/lightsout/wake")
    guest.go_off_soon("hibernate")
    is_switched_on_for(elapse, machine, transcript)
    backup_runs(elapse, guest, transcript)
    told_of(guest, transcript, begun, "wakes the machine from hibernation at")
    actions = [record["LIGHTSOUT_ACTION"] for record in guest.show_decisions(since=begun)]
    transcript.promise("woken" in actions, "lightsout knows that it woke the machine", str(actions))
    left = guest.demand("cat /sys/class/rtc/rtc0/wakealarm")
    transcript.promise(left == "", "no alarm is left over", left)

    transcript.heading("the backup ends: lightsoutd has the machine hibernate again, as it found it")
    guest.let_backups_end()
    is_off_until(elapse + 86400, machine, transcript, within=DELAY + 180)
    machine.power_on(at=elapse + 600)  # somebody presses the power button
    guest.wait_until("it is back where it was", guest.backup_is_over, within=120)
    left = guest.demand("cat /sys/class/rtc/rtc0/wakealarm")
    transcript.promise(left == "", "the alarm of tomorrow is taken back", left)


def suspends_then_hibernates(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("the machine suspends, and hibernates ten seconds later: its RTC wakes it for the backup")
    guest.demand(
        "mkdir -p /run/systemd/sleep.conf.d"
        " && printf '[Sleep]\\nHibernateDelaySec=10s\\n' >/run/systemd/sleep.conf.d/soon.conf"
    )
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=DELAY)
    guest.let_backups_go_on()
    begun = guest.now()
    guest.go_off_soon("suspend-then-hibernate")
    machine.expect_suspend(within=60)
    machine.expect_wakeup(within=60)
    is_switched_on_for(elapse, machine, transcript)
    backup_runs(elapse, guest, transcript)
    told_of(guest, transcript, begun, "wakes the machine from suspend and from hibernation at")
    guest.show_decisions(since=begun)
    guest.log_in_at_the_terminal()  # so that it stays up
    guest.let_backups_end()
    guest.wait_until("the backup is over", guest.backup_is_over)

    transcript.heading("the alarm would elapse between the two halves: it is set anew, and not lost")
    delay, soon = 30, 20
    guest.demand(f"sed -i s/10s/{delay}s/ /run/systemd/sleep.conf.d/soon.conf")
    elapse = guest.schedule(ahead=LEAD + delay + soon + 30, lead=LEAD, delay=DELAY)
    guest.let_backups_go_on()
    # So that it is too near when the machine comes back to hibernate.
    guest.ask(f"sleep $(({elapse} - {LEAD} - {delay} - {soon} - $(date +%s)))")
    begun = guest.now()
    guest.go_off_soon("suspend-then-hibernate")
    machine.expect_suspend(within=60)
    machine.expect_wakeup(within=60)
    machine.expect_power_off(within=120)
    late = lateness(machine, elapse - LEAD)
    transcript.promise(late is not None and 150 < late < 240, f"the alarm stands in its RTC, {late} s after the one that was lost", f"it is {machine.rtc_alarm()}")
    machine.power_on(at=elapse - LEAD + late)
    guest.wait_until("the backup runs, late", guest.script_is_running, within=120)
    guest.show_alarms(since=begun)
    guest.show_decisions(since=begun)
    guest.let_backups_end()
    guest.wait_until("the backup is over", guest.backup_is_over)


def lateness(machine: Machine, time_of_day: int) -> int | None:
    """How long after that time the alarm stands in the RTC; None where none does."""
    alarm = machine.rtc_alarm()
    return next((late for late in range(600) if time.strftime("%H:%M:%S", time.gmtime(time_of_day + late)) == alarm), None)


def powers_off(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("somebody powers the machine off: its RTC switches it on for the backup")
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=DELAY)
    begun = guest.now()
    guest.go_off_soon("poweroff")
    is_switched_on_for(elapse, machine, transcript)
    guest.demand("touch /run/backup-goes-on")  # /run is new; the backup is a minute away
    backup_runs(elapse, guest, transcript)
    told_of(guest, transcript, begun, "turns the machine on at")
    guest.let_backups_end()
    guest.wait_until("the backup is over", guest.backup_is_over)


def powers_itself_off(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("lightsoutd powers the machine off after a backup: its RTC switches it on for the next")
    elapse = guest.schedule(ahead=LEAD + 10, lead=LEAD, delay=DELAY, after="poweroff")
    begun = guest.now()
    is_off_until(elapse + 86400, machine, transcript, within=LEAD + PUNCTUAL + DELAY + 180)
    machine.power_on(at=elapse + 86400 - LEAD)
    guest.demand("touch /run/backup-goes-on")
    guest.show_decisions(since=begun)
    told_of(guest, transcript, begun, "turns the machine on at")
    backup_runs(elapse + 86400, guest, transcript)
    triggers = [record["LIGHTSOUT_TRIGGER"] for record in guest.records(STARTED, since=begun)]
    transcript.promise(triggers == ["schedule", "schedule"], "the backup ran before and after, each time by schedule", str(triggers))
    guest.log_in_at_the_terminal()  # so that it stays on
    guest.let_backups_end()
    guest.wait_until("the backup is over", guest.backup_is_over)
    results = [record["LIGHTSOUT_RESULT"] for record in guest.records(FINISHED, since=0)]
    transcript.promise(set(results) == {"success"}, "all runs are recorded as a success", str(results))


def is_switched_on_for(elapse: int, machine: Machine, transcript: Transcript) -> None:
    """Waits until the machine is off, and does at the time of the alarm what real hardware does then."""
    is_off_until(elapse, machine, transcript)
    machine.power_on(at=elapse - LEAD)


def is_off_until(elapse: int, machine: Machine, transcript: Transcript, within: float = 180) -> None:
    """Waits until the machine is off, and looks at the alarm in its RTC."""
    machine.expect_power_off(within=within)
    alarm = machine.rtc_alarm()
    # The clock's seconds do not begin with the system's.
    expected = [time.strftime("%H:%M:%S", time.gmtime(elapse - LEAD + late)) for late in (0, 1, -1)]
    transcript.promise(
        alarm in expected, f"the alarm stands in its RTC: {alarm}, {LEAD} s before the backup", f"it is {alarm}, not {expected[0]}"
    )


def backup_runs(elapse: int, guest: Guest, transcript: Transcript) -> None:
    guest.wait_until("the scheduled backup runs", guest.script_is_running, within=LEAD + 120)
    begun, trigger = guest.last_begin()
    transcript.promise(0 <= begun - elapse <= PUNCTUAL, "it began on time", f"{begun - elapse:+.1f} s")
    transcript.promise(trigger == "schedule", "it knows that it was scheduled", trigger)
    locks = guest.locks_at_first_line()
    transcript.promise(blocks_sleep(locks), "the lock was held when its first line ran", locks)


def told_of(guest: Guest, transcript: Transcript, begun: float, words: str) -> None:
    records = guest.show_alarms(since=begun)
    told = {record["LIGHTSOUT_ALARM"] for record in records} == {"set"} and all(words in record["MESSAGE"] for record in records)
    transcript.promise(told, f"the journal says that the alarm {words} …", str(records))
