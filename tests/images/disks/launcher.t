#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --disk with an image of images/build: with each kind of connection, with
BIOS and UEFI. VIRTIO_CAPTURE_TEST_IMAGE can name a raw image to use, which is not
changed."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import diskimage  # noqa: E402
import live  # noqa: E402
from guest import VM, vm  # noqa: E402
from tap import Tap  # noqa: E402
from terminal import shell  # noqa: E402

IMAGE = os.environ.get("VIRTIO_CAPTURE_TEST_IMAGE")

# Captures a ping and its reply with the image's driver.
CAPTURE = """
set -e
until ip route | grep -q default; do sleep 1; done
name=$(ls /sys/class/net | grep -v '^lo$' | head -n 1)
tcpdump -n -i $name --immediate-mode -U -c 2 -w ping.pcap icmp 2>log &
until grep -q listening log; do kill -0 $!; sleep 0.2; done
ping -q -c 1 10.0.2.2
wait $!
"""

PINGS = """
until ip route | grep -q default; do sleep 1; done
(while :; do ping -c 1 -W 1 10.0.2.2; sleep 0.2; done) >/dev/null &
echo ready
"""

# Changes that the next guest finds; sshd then accepts the key.
KEEP = """
mkdir -p -m 700 ~/.ssh
cat key.pub >>~/.ssh/authorized_keys
echo kept >/etc/mark
echo out; echo err >&2
exit 3
"""

WHAT = """
cat /etc/mark; cat; pwd; echo "$NAME"; cat two
[ -d /sys/firmware/efi ] && echo UEFI || echo BIOS
for name in agent sshd getty; do
    systemctl is-active -q '*'$name'*' && echo $name
done
exit 5
"""


def run(options, command):
    """Runs a command in the overlay's system."""
    # table=True, as the boot loader sets the kernel's parameters.
    return vm(["--disk", str(OVERLAY), *options], command, table=True)


def test_agent(tap):
    done = run(["--keep", "--add", f"{KEY}.pub"], ["sh", "-c", KEEP])
    tap.equal((done.returncode, done.stdout, done.stderr),
              (3, "out\n", "err\n"), "--disk by the guest agent, with "
              "--keep: status and output are COMMAND's")


def test_ssh(tap):
    place = KEY.parent
    (place / "two").write_text("two\n")
    done = run(["--ssh", "--ssh-key", str(KEY), "--firmware", "uefi", "--env",
                "NAME=a  b", "--add", str(place / "two"),
                "--get", f"/etc/mark:{place}"], ["sh", "-c", WHAT])
    tap.equal((done.returncode, done.stderr), (5, ""),
              "--disk by ssh, with UEFI: the status is COMMAND's")
    tap.equal(done.stdout.splitlines()[:5],
              ["kept", "/root", "a  b", "two", "UEFI"],
              "--disk by ssh: COMMAND has the kept changes, the folder /root, the "
              "variable of --env and the file of --add")
    tap.equal((place / "mark").read_text(), "kept\n",
              "--disk by ssh: --get copies a file")


def test_serial(tap):
    place = KEY.parent
    done = run(["--via", "serial", "--get", f"ping.pcap:{place}"],
               ["sh", "-c", CAPTURE])
    tap.equal(done.returncode, 0, "--disk by the serial console: status 0")
    tap.note(done.stderr)
    tap.ok((place / "ping.pcap").stat().st_size > 24 + 2 * (16 + 98) - 1,
           "--disk by the serial console: the image's driver captures a ping")


def test_live(tap):
    """The extcap for Wireshark captures with the system's tcpdump."""
    folder = KEY.parent
    with subprocess.Popen([VM, "--disk", OVERLAY, "--", "sh"], text=True,
                          env=live.environment(folder), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as launcher:
        launcher.stdin.write(PINGS)
        launcher.stdin.flush()
        tap.equal(launcher.stdout.readline(), "ready\n",
                  "--disk by the guest agent: sh reads the input")
        with live.Capture(folder, "virtio-capture-vm", nic="capture0",
                          filter="icmp") as capture:
            size = len(capture.read(24 + 2 * (16 + 98)))
            tap.equal((size, capture.stop()), (24 + 2 * (16 + 98), (0, "")),
                      "--disk: the extcap captures a ping on capture0")
        launcher.communicate()
    tap.equal(launcher.returncode, 0, "--disk by the guest agent: sh exits at the "
              "end of its input, with status 0")


def test_console(tap):
    status, said = shell(["--disk", str(OVERLAY), "--timeout", "300"],
                         b"echo hello; exit 4", prompt=b"\n# ")
    tap.equal(status, 4, "--disk without COMMAND: the status is that of root's shell")
    tap.ok(b"\nhello" in said, "--disk without COMMAND: the shell is on the console", said[-2000:])


def test_session(tap):
    status, said = shell(["--disk", str(OVERLAY), "--ssh", "--ssh-key", str(KEY),
                          "--env", "NAME=hello", "--timeout", "300"],
                         b'echo "<$NAME>"; exit 4', prompt=b"# ")
    tap.equal(status, 4, "--ssh without COMMAND: the status is that of ssh's shell")
    tap.ok(b"<hello>" in said,
           "--ssh without COMMAND: the shell has the variable of --env",
           said[-2000:])


def prepare(tap):
    """Makes an image unless one is given, a key, and the overlay."""
    image = IMAGE and Path(IMAGE).resolve()
    if not image:
        image = KEY.parent / "image.raw"
        diskimage.build(tap, "images/build makes an image for images/vm --disk",
                        [diskimage.BUILD, image], KEY.parent)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY],
                   check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", image, OVERLAY], check=True)


TAP = Tap()
with tempfile.TemporaryDirectory() as FOLDER:
    OVERLAY, KEY = Path(FOLDER, "overlay.qcow2"), Path(FOLDER, "key")
    try:
        prepare(TAP)
        TAP.run(test_agent, test_ssh, test_serial, test_live, test_console,
                test_session)
    except diskimage.Skipped:
        pass
sys.exit(TAP.done())
