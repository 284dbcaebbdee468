"""The scenario: a server that sleeps, wakes up for its backup and goes back to sleep. Each step is a promise of lightsout."""

from boot import boots
from guest import FINISHED, STARTED, Guest, blocks_sleep
from machine import Machine
from transcript import Transcript

# Seconds. The emulated machine needs a few to fall asleep and to wake; its RTC counts whole ones.
AHEAD = 60  # from the configuration to the scheduled backup
LEAD = 10  # the machine wakes up so long before it
DELAY = 8  # the machine stays up so long after it
SLACK = 5  # by which the clocks of guest and host may differ, and more than logind takes to act
PUNCTUAL = 30  # a backup that begins so late is on time still, on an emulated machine whose host is busy


def scenario(machine: Machine, transcript: Transcript) -> None:
    guest = Guest(machine, transcript)
    boots(guest, transcript)
    stays_awake_during_a_backup(machine, guest, transcript)
    sleeps_and_wakes_by_its_own_alarm(machine, guest, transcript)
    returns_to_sleep_after_the_backup(machine, guest, transcript)
    stays_up_for_who_logged_in(machine, guest, transcript)
    transcript.heading("what an administrator reads afterwards")
    guest.show("journalctl --quiet --identifier=lightsout --identifier=lightsoutd")


def stays_awake_during_a_backup(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("a backup runs: nobody puts the machine to sleep")
    guest.let_backups_go_on()
    guest.demand("systemctl start --no-block lightsout-backup@server.service")
    guest.wait_until("the backup's script runs", guest.script_is_running)
    locks = guest.locks_at_first_line()
    transcript.promise(blocks_sleep(locks), "the lock was held when its first line ran", locks)
    guest.show("systemd-inhibit --list --no-legend")

    # Systemd 252 lets root pass over locks unless it asks for the check: a limit, not a promise (README).
    for who, command in (
        ("an ordinary user who may suspend", "runuser -u alice -- systemctl suspend"),
        ("root who asks for the check", "systemctl suspend --check-inhibitors=yes"),
    ):
        refused = guest.show(command)
        transcript.promise(refused.status != 0, f"{who} is refused", f"exit status {refused.status}")

    pressed = guest.now()
    machine.press_power_key()
    guest.wait_until("logind saw the power key", lambda: guest.logind_said("Power key pressed", pressed))

    idle = guest.now()
    guest.set_idle_action("suspend")
    guest.wait_until("logind found the machine idle", lambda: guest.logind_said("System idle", idle), within=120)
    machine.expect_no_suspend(during=SLACK)
    guest.show(f"journalctl --unit=systemd-logind --output=cat --since=@{pressed:.3f}")
    guest.set_idle_action("ignore")
    locks = guest.locks()
    transcript.promise(blocks_sleep(locks), "the lock outlived logind's restarts", locks)


def sleeps_and_wakes_by_its_own_alarm(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("the backup ends: the machine sleeps, and its RTC wakes it for the next one")
    guest.let_backups_end()
    guest.wait_until("the lock is gone", lambda: not blocks_sleep(guest.locks()))
    guest.wait_until("the backup is over", guest.backup_is_over)
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=DELAY)
    guest.let_backups_go_on()
    guest.have_alice_suspend_soon()
    machine.expect_suspend(within=60)

    # Only the guest's own RTC can do this: from here to the wake-up nothing is sent to the machine.
    woken = machine.expect_wakeup(within=AHEAD + 30)
    early = elapse - woken
    transcript.promise(abs(early - LEAD) <= SLACK, f"by its alarm, {LEAD} s before the backup", f"{early:.1f} s before")
    guest.wait_until("the scheduled backup runs", guest.script_is_running, within=LEAD + 60)
    begun, trigger = guest.last_begin()
    transcript.promise(0 <= begun - elapse <= PUNCTUAL, "it began on time", f"{begun - elapse:+.1f} s")
    transcript.promise(trigger == "schedule", "it knows that it was scheduled", trigger)
    locks = guest.locks_at_first_line()
    transcript.promise(blocks_sleep(locks), "the lock was held when its first line ran", locks)
    refused = guest.show("runuser -u alice -- systemctl suspend")
    transcript.promise(refused.status != 0, "suspend is refused meanwhile", f"exit status {refused.status}")
    machine.expect_no_suspend(during=DELAY + SLACK)


def returns_to_sleep_after_the_backup(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("the scheduled backup ends: lightsoutd sends the machine back to sleep")
    ended = guest.now()
    guest.let_backups_end()
    slept = machine.expect_suspend(within=DELAY + 60)
    transcript.promise(slept - ended >= DELAY - 2, f"not before after_delay of {DELAY} s", f"after {slept - ended:.1f} s")
    machine.wake_up()
    machine.expect_wakeup(within=30)

    decisions = guest.show_decisions(since=ended - AHEAD)
    told = any(ended <= _time(record) <= slept + SLACK for record in decisions)
    transcript.promise(told, "the journal tells why it went back to sleep", "no such decision is recorded")
    triggers = [record["LIGHTSOUT_TRIGGER"] for record in guest.records(STARTED, since=0)]
    results = [record["LIGHTSOUT_RESULT"] for record in guest.records(FINISHED, since=0)]
    transcript.promise(triggers == ["manual", "schedule"], "one manual and one scheduled run are recorded", str(triggers))
    transcript.promise(results == ["success", "success"], "both as a success", str(results))


def stays_up_for_who_logged_in(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("somebody logs in while the next scheduled backup runs: the machine stays awake after it")
    # This time by the power key: it was refused above because of the lock, not because it does nothing.
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=DELAY)
    guest.let_backups_go_on()
    machine.press_power_key()
    machine.expect_suspend(within=60)
    machine.expect_wakeup(within=AHEAD + 30)
    guest.wait_until("the scheduled backup runs", guest.script_is_running, within=LEAD + 60)
    begun, _ = guest.last_begin()
    transcript.promise(0 <= begun - elapse <= PUNCTUAL, "it began on time", f"{begun - elapse:+.1f} s")

    guest.log_in_at_the_terminal()
    guest.show("loginctl list-sessions --no-legend")
    ended = guest.now()
    guest.let_backups_end()
    machine.expect_no_suspend(during=DELAY + 30)
    transcript.promise(machine.is_running(), "QEMU says that it runs")
    guest.wait_until("the backup is over", guest.backup_is_over)
    decisions = guest.show_decisions(since=ended)
    transcript.promise(bool(decisions), "the journal tells why it stayed awake", "no decision is recorded")


def _time(record: dict[str, str]) -> float:
    return int(record["__REALTIME_TIMESTAMP"]) / 1e6
