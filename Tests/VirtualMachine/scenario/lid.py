"""The scenario: a laptop with a closed lid, then a desktop with an idle timer, wakes up for its backup and is asleep again
afterwards, and nobody touches it. What would put it back to sleep before the backup begins is logind's own."""

from boot import boots
from guest import FINISHED, Guest
from machine import Machine
from transcript import Transcript

# Seconds.
AHEAD = 100  # from the configuration to the scheduled backup
LEAD = 60  # the machine wakes up so long before it: time enough to fall asleep again
HOLDOFF = 10  # HoldoffTimeoutSec=: logind looks at the lid again so long after the machine is back
IDLE = 20  # IdleActionSec=
RUN = 25  # how long the backup takes
SLACK = 5
PUNCTUAL = 30


def scenario(machine: Machine, transcript: Transcript) -> None:
    guest = Guest(machine, transcript)
    boots(guest, transcript)
    guest.demand(f"sed -i 's/^while .*/for i in $(seq {RUN}); do/; s/sleep 0.2/sleep 1/' /etc/lightsout/backup/server_backup")
    behind_a_closed_lid(machine, guest, transcript)
    by_an_idle_timer(machine, guest, transcript)
    transcript.heading("what an administrator reads afterwards")
    guest.show("journalctl --quiet --identifier=lightsout --identifier=lightsoutd --identifier=systemd-logind")


def behind_a_closed_lid(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading("a laptop with a closed lid")
    guest.demand(
        "mkdir -p /run/systemd/logind.conf.d"
        f" && printf '[Login]\\nHandleLidSwitch=suspend\\nHoldoffTimeoutSec={HOLDOFF}s\\n' >/run/systemd/logind.conf.d/lid.conf"
        " && systemctl start test-lid.service && systemctl restart systemd-logind.service && udevadm settle"
    )
    guest.wait_until(
        "logind watches the lid",
        lambda: "Lid of the test" in guest.demand("journalctl --boot --unit=systemd-logind --output=cat"),
    )
    guest.show("udevadm info --export-db | grep -A12 'Lid of the test' | grep -E 'NAME|SW|TAGS' ; busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager LidClosed")
    elapse = guest.schedule(ahead=AHEAD, lead=LEAD, delay=0)
    begun = guest.now()
    guest.ask(f"sleep {HOLDOFF}")
    guest.move_lid("closed")
    backup_runs_whole_and_it_sleeps_again(elapse, begun, machine, guest, transcript)


def by_an_idle_timer(machine: Machine, guest: Guest, transcript: Transcript) -> None:
    transcript.heading(f"a desktop that suspends when it was idle for {IDLE} s")
    elapse = guest.schedule(ahead=AHEAD + IDLE, lead=LEAD, delay=0)
    begun = guest.now()
    guest.set_idle_action("suspend", after=IDLE)
    backup_runs_whole_and_it_sleeps_again(elapse, begun, machine, guest, transcript)


def backup_runs_whole_and_it_sleeps_again(
    elapse: int, begun: float, machine: Machine, guest: Guest, transcript: Transcript
) -> None:
    machine.expect_suspend(within=60)
    # From here until it sleeps again nothing is sent to the machine: not a command, not a byte.
    woken = machine.expect_wakeup(within=AHEAD + 60)
    early = elapse - woken
    transcript.promise(abs(early - LEAD) <= SLACK, f"by its alarm, {LEAD} s before the backup", f"{early:.1f} s before")
    machine.expect_no_suspend(during=LEAD + RUN - SLACK)
    slept = machine.expect_suspend(within=120)
    transcript.say(f"     asleep again {slept - elapse:.0f} s after the backup was due, which takes {RUN} s")

    machine.wake_up()
    machine.expect_wakeup(within=30)
    guest.move_lid("open")
    guest.set_idle_action("ignore")
    guest.show_decisions(since=begun)
    guest.show(f"journalctl --quiet --unit=systemd-logind --output=cat --since=@{begun:.3f}")
    started, trigger = guest.last_begin()
    transcript.promise(trigger == "schedule", "the backup was started by schedule", trigger)
    transcript.promise(0 <= started - elapse <= PUNCTUAL, "it began on time", f"{started - elapse:+.1f} s")
    ended = float(guest.demand("tail -n 1 /var/log/backups-ended"))
    transcript.promise(ended - started >= RUN and ended <= slept + 1, "it ran whole before the machine slept again", f"{started} … {ended}, asleep {slept}")
    results = [record["LIGHTSOUT_RESULT"] for record in guest.records(FINISHED, since=begun)]
    transcript.promise(results == ["success"], "it is recorded as a success, once", str(results))
