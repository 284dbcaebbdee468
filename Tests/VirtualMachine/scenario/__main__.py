"""python3 scenario WORK [NAME…]: boots the virtual machine that WORK holds and runs the scenarios; see ../run."""

import os
import signal
import sys
from pathlib import Path

import lid
import off
import sleep
from machine import Machine
from transcript import Broken, Transcript

LONGEST = 45 * 60  # seconds; all of them take a quarter of an hour

# Each in a machine of its own; the last one writes to the disk that the others find as it was made.
SCENARIOS = {"sleep": (sleep.scenario, False), "lid": (lid.scenario, False), "off": (off.scenario, True)}


def main() -> int:
    os.chdir(sys.argv[1])
    names = sys.argv[2:] or list(SCENARIOS)
    transcript = Transcript(Path("transcript.txt"))

    def give_up(*_: object) -> None:
        raise Broken(f"the scenario ends within {LONGEST // 60} minutes")

    signal.signal(signal.SIGALRM, give_up)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the machine goes with us
    signal.alarm(LONGEST)
    try:
        for name in names:
            scenario, keeps_disk = SCENARIOS[name]
            with Machine(transcript, keeps_disk) as machine:
                try:
                    scenario(machine, transcript)
                except Broken as broken:
                    transcript.say(f"BROKEN: {broken}")
                    transcript.quote(last_words(machine))
                    return 1
    except Broken as broken:
        transcript.say(f"BROKEN: {broken}")
        return 1
    transcript.say("all promises kept")
    return 0


def last_words(machine: Machine) -> str:
    """The end of the guest's journal, if the guest still answers."""
    try:
        return machine.agent.run("journalctl --boot --no-pager --lines=60", within=30).text
    except Broken:
        return "the guest does not answer; its console is in console.txt"


if __name__ == "__main__":
    sys.exit(main())
