# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes disk images with images/build, boots them, and runs programs in them through
the QEMU guest agent."""
import base64
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import tree

BUILD = tree.TOP / "images" / "build"
PLUGIN = tree.TOP / "build" / "qemu-device" / "virtio-capture.so"
TIME_SCALE = float(os.environ.get("TIME_SCALE") or "1")
# A boot takes a minute on an emulated processor, more on a busy machine.
PATIENCE = 600 * TIME_SCALE
FIRMWARE = {"bios": [], "uefi": ["-machine", "q35", "-bios",
                                 "/usr/share/ovmf/OVMF.fd"]}
PORT = "org.qemu.guest_agent.0"

# A user that exists only in a mount name space, with a range of subordinate IDs.
USER = 64321
ACCOUNT = {"passwd": f"builder:x:{USER}:{USER}::/nonexistent:/bin/sh\n",
           "subuid": "builder:700000:65536\n",
           "subgid": "builder:700000:65536\n"}
AS_USER = """\
for file in passwd subuid subgid; do
    cat /etc/$file "$0/$file" >"$0/$file.all" 2>/dev/null ||
        cp "$0/$file" "$0/$file.all"
    touch /etc/$file
    mount --bind "$0/$file.all" /etc/$file
done
exec setpriv --reuid=%d --regid=%d --clear-groups "$@"
""" % (USER, USER)


def releases():
    """Returns the names of Debian's releases to test."""
    return (os.environ.get("IMAGE_RELEASES") or "bookworm trixie").split()


def user_tree(folder):
    """Makes a copy of the sources and the packages that belongs to the user, and
    the account files for as_user()."""
    for name in tree.files():
        path = Path(folder, "tree", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tree.TOP / name, path)
    shutil.copytree(tree.TOP / "build" / "deb",
                    Path(folder, "tree", "build", "deb"))
    for name, text in ACCOUNT.items():
        Path(folder, name).write_text(text)
    for parent, folders, names in os.walk(folder):
        for name in [".", *folders, *names]:
            os.lchown(os.path.join(parent, name), USER, USER)


def as_user(folder):
    """Returns a prefix that runs a command as that user; needs root. The folder
    is one of user_tree()."""
    return ["unshare", "--mount", "sh", "-c", AS_USER, str(folder)]


class Skipped(Exception):
    """Debian's server lacks a package."""


def build(tap, name, argv, folder):
    """Runs a command, which must succeed; returns its output."""
    done = subprocess.run(
        [str(word) for word in argv], text=True, check=False, cwd=folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, "TMPDIR": str(folder)})
    gone = tree.package_that_is_gone(done.stdout.splitlines())
    if done.returncode and gone:
        tap.skip(name, f"Debian's server does not have {gone}",
                 is_lacking=False)
        raise Skipped
    tap.ok(done.returncode == 0, name, done.stdout)
    return done.stdout


class Machine:
    """A context manager: a machine that has booted a disk image, without changing
    it, and has a NIC with a capture device."""

    def __init__(self, folder, image, firmware="bios", more=()):
        self.serial = Path(folder, "serial")
        agent = Path(folder, "agent")
        agent.unlink(missing_ok=True)
        kind = "qcow2" if str(image).endswith(".qcow2") else "raw"
        self._process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-m", "512M", "-snapshot",
             "-display", "none", "-monitor", "none", "-no-reboot",
             "-serial", f"file:{self.serial}", *FIRMWARE[firmware],
             "-drive", f"file={image},format={kind},if=virtio",
             "-plugin", str(PLUGIN), "-netdev", "user,id=net0",
             "-device", "virtio-net-pci,netdev=net0",
             "-device", "virtio-capture-pci,netdev=net0",
             "-device", "virtio-serial-pci",
             "-chardev", f"socket,id=agent,path={agent},server=on,wait=off",
             "-device", f"virtserialport,chardev=agent,name={PORT}", *more],
            stdin=subprocess.DEVNULL)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._connection.connect(str(agent))
                break
            except OSError:
                if time.monotonic() > deadline or self._process.poll():
                    self.__exit__()
                    raise
                time.sleep(0.1)
        self._lines = self._connection.makefile("rw")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def call(self, command, **arguments):
        """Executes a command of the agent; the first waits until it runs."""
        try:
            self._lines.write(json.dumps({"execute": command, "arguments": {
                name.replace("_", "-"): value
                for name, value in arguments.items()}}) + "\n")
            self._lines.flush()
            answer = json.loads(self._lines.readline())
        except OSError as error:
            raise AssertionError(f"{command}: {error}; the console's output: "
                                 f"{self.console()[-2000:]}") from None
        if "error" in answer:
            raise AssertionError(f"{command}: {answer['error']}")
        return answer["return"]

    def console(self):
        """Returns the output on the first serial port."""
        return self.serial.read_text(errors="replace")

    def run(self, script):
        """Runs a shell script; returns its status, and its output and errors."""
        process = self.call("guest-exec", path="/bin/sh",
                            arg=["-c", f"exec 2>&1\n{script}"],
                            capture_output=True)["pid"]
        deadline = time.monotonic() + PATIENCE
        while True:
            state = self.call("guest-exec-status", pid=process)
            if state["exited"]:
                break
            assert time.monotonic() < deadline, f"the script does not end: {script}"
            time.sleep(0.2)
        output = base64.b64decode(state.get("out-data", "")).decode()
        return state.get("exitcode", -1), output


# Waits until the system is up, and prints failed services.
UP = "systemctl is-system-running --wait; systemctl --failed --plain --no-legend"
# Captures an echo request and its reply on the NIC, and prints which programs use
# /dev/bpf meanwhile.
CAPTURE = """\
until nic=$(ls /sys/class/net | grep -v '^lo$')
    ip -4 address show dev $nic | grep -q inet; do
    sleep 0.2   # udev may rename the interface meanwhile
done
%s -l -n -c 2 -i $nic icmp >/root/seen 2>/root/errors &
until grep -qs 'listening on' /root/errors; do
    kill -0 $! || break
    sleep 0.2
done
bpfstat
ping -c 1 -W 20 10.0.2.2 >/dev/null
wait $!
status=$?
cat /root/seen /root/errors
exit $status
"""


def captures(tap, machine, name, program="tcpdump"):
    """Checks that tcpdump, run as program, captures a ping and its reply through
    /dev/bpf."""
    status, output = machine.run(CAPTURE % program)
    tap.ok(status == 0
           and re.search(r"10.0.2.15 > 10.0.2.2: ICMP echo request", output)
           and re.search(r"10.0.2.2 > 10.0.2.15: ICMP echo reply", output),
           f"{name}: tcpdump captures a ping and its reply", status, output)
    tap.ok(re.search(r"(?m)\btcpdump$", output),
           f"{name}: bpfstat lists tcpdump as a user of /dev/bpf", output)


def equal(tap, machine, script, expected, name):
    """Checks that a script succeeds with this output."""
    tap.equal(machine.run(script), (0, expected), name)
