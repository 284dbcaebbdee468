"""What every scenario begins with."""

from guest import Guest
from transcript import Transcript


def boots(guest: Guest, transcript: Transcript) -> None:
    transcript.heading("the machine boots and lightsoutd serves")
    state = guest.ask("systemctl is-system-running --wait", within=300).text
    transcript.promise(state == "running", "the guest is up, no unit failed", state)
    guest.show("uname -sr; systemctl --version | head -n 1; cat /sys/power/mem_sleep; systemd-analyze time | head -n 1")
    guest.demand("systemctl enable --now lightsoutd.service")
    state = guest.ask("systemctl is-active lightsoutd.service").text
    transcript.promise(state == "active", "lightsoutd is active", state)
