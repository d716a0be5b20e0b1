#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --disk: COMMAND in a system that has its own init, started by the serial
console. tests/images has the tests of the other ways, and of boot loaders."""
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import disks  # noqa: E402
from guest import VM, guest_file, vm  # noqa: E402
from tap import Tap  # noqa: E402

OUT = INITRD = None     # the folder for all files; the initramfs for the disks

# A background process of COMMAND must be killed when it ends.
COMMAND = """
cat
echo err >&2
pwd; echo "$GREETING"; id -u; cat added/one /etc/new/two
cat /mnt/share/three
echo changed >/etc/mark
(setsid sh -c 'trap "" TERM; sleep 1000' &)
echo out >got
ps -o comm | grep -c '^runner$'
ls -d /tmp/virtio-capture* /root/virtio-capture* 2>/dev/null
exit 7
"""


def boot(disk, *options):
    """Options to boot a disk of tests/lib/disks.py."""
    return ["--no-capture", "--disk", str(disk), "--kernel",
            guest_file("images", "kernel"), "--initrd", str(INITRD),
            "--via", "serial", *map(str, options)]


def digest(path):
    """A digest of a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_command(tap):
    """Input, output, environment and files of COMMAND, with a snapshot."""
    disk = disks.make_disk(OUT, "snapshot.raw")
    before = digest(disk)
    for folder, name in (("added", "one"), ("share", "three")):
        (OUT / folder).mkdir()
        (OUT / folder / name).write_text(name + "\n")
    (OUT / "two").write_text("two\n")
    data = bytes(range(256)) * 2048
    done = subprocess.run(
        [VM, *boot(disk, "--add", OUT / "added", "--add",
                   f"{OUT}/two:/etc/new/", "--env", "GREETING=a  b",
                   "--share", OUT / "share", "--get", f"got:{OUT}"),
         "--", "sh", "-c", COMMAND], input=data, capture_output=True,
        check=False)
    tap.equal(done.returncode, 7, "--disk: the exit status is COMMAND's")
    tap.ok(done.stdout.startswith(data), "--disk: COMMAND's input and output are the launcher's",
           done.stdout[-200:])
    tap.equal(done.stdout[len(data):].decode().splitlines(),
              ["/root", "a  b", "0", "one", "two", "three", "1"],
              "--disk: COMMAND's folder, --env, user, --add, --share; no "
              "file of the runner is left")
    tap.equal(done.stderr, b"err\n", "--disk: standard error is COMMAND's, without messages")
    tap.equal((OUT / "got").read_text(), "out\n",
              "--disk: --get brings a file out")
    tap.equal(digest(disk), before, "--disk: nothing is written to the image")


def test_keep(tap):
    disk = disks.make_disk(OUT, "keep.raw")
    script = "echo kept >/etc/mark; echo ready; exec sleep 1000"
    with subprocess.Popen([VM, *boot(disk, "--keep", "--timeout", "20", "--get",
                                     f"/etc/mark:{OUT}"),
                           "--", "sh", "-c", script], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as launcher:
        output = launcher.stdout.readline()
        for option in ("--keep", "--snapshot"):
            done = vm(boot(disk, option), ["true"])
            name = f"--disk, {option}, an image that another launcher keeps"
            tap.equal(done.returncode, 125,
                      f"{name}: status 125")
            tap.contains(done.stderr, f"images/vm: --disk {disk}: another "
                         "process has it open", f"{name}: the error reports it")
            tap.equal(done.stderr.count("\n"), 1,
                      f"{name}: the error is one line")
        _, errors = launcher.communicate()
    tap.equal((output, launcher.returncode, errors.partition("\n")[0]),
              ("ready\n", 124, "images/vm: the guest was ended after 20 s"),
              "--keep with --timeout: COMMAND is ended, status 124")
    tap.equal((OUT / "mark").read_text(), "kept\n",
              "--keep with --timeout: --get brings a file out")
    tap.equal(disks.file_on(disk, "/etc/mark"), "kept\n",
              "--keep: what was written is in the image")
    tap.ok(disks.is_clean(disk), "--keep: the system unmounts its disk")


def test_no_driver(tap):
    """A system without the driver."""
    disk = disks.make_disk(OUT, "driver.raw")
    options = boot(disk)
    options.remove("--no-capture")
    done = vm(options, ["true"])
    tap.equal(done.returncode, 125, "a system without the driver: status 125")
    tap.contains(done.stderr, "guest: the disk's system has no driver "
                 "virtio_capture for its kernel", "a system without the driver: the error names it")


def test_no_entry(tap):
    disk = disks.make_disk(OUT, "closed.raw", password="$1$a$b")
    options = boot(disk, "--boot-timeout", "40")
    options = [word for word in options if word not in ("--via", "serial")]
    done = vm(options, ["true"])
    tap.equal(done.returncode, 125, "a system that refuses all ways in: status 125")
    for text in ("images/vm: cannot start COMMAND in the guest",
                 "the guest agent: no answer", "ssh: no server answers",
                 "the serial console: root needs a password"):
        tap.contains(done.stderr, text,
                     f"a system that refuses all ways in: the error has {text!r}")


def main():
    global OUT, INITRD
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        OUT = Path(folder)
        INITRD = disks.make_initrd(OUT)
        tap.run(test_command, test_keep, test_no_driver, test_no_entry)
    return tap.done()


sys.exit(main())
