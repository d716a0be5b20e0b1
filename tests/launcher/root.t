#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --root: a folder of the host as the guest's root file system."""
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from guest import guest_file, parameters, vm  # noqa: E402
from launches import state  # noqa: E402
from live import Guest, Tshark  # noqa: E402
from tap import Tap  # noqa: E402
from terminal import shell  # noqa: E402

APPLETS = ("sh", "cat", "grep", "ls", "mkdir", "mv", "ping", "rm", "sleep",
           "stat", "unshare")

# Mount points of the guest's own, each with a file system in memory.
MOUNTS = ("/dev", "/dev/pts", "/dev/shm", "/proc", "/run", "/sys", "/tmp")

# Prints a line for each result.
READ_ONLY = """
pwd
echo $WORD $HOME $PATH
cat /mark
echo lost >/mark; rm /old; mv /folder/file /folder/moved; echo x >/new
cat /mark
cat added /link/added; ls /mnt/shared
for path in %s; do grep -c "^[^ ]* $path " /proc/mounts; done
unshare -U true && echo namespace
echo through >/real/result
ping 10.0.2.2 >/dev/null &
exec tcpdump -c 1 -n -t -i eth0 'icmp[icmptype] == icmp-echo' 2>/dev/null
""" % " ".join(MOUNTS)

WRITABLE = """
echo changed >/mark; rm /old; mv /folder /renamed; echo made >new
stat -f -c %T /; exit 3
"""

PANIC = """
mkdir /link/log; echo before the panic >/link/log/file; sleep 1
echo c >/proc/sysrq-trigger; sleep 60
"""

BAD = (
    ("{root}/nothing", "{root}/nothing: no such folder"),
    ("{root}/mark", "{root}/mark: not a folder"),
    ("{root}:ro", "{root}:ro: not DIR or DIR:rw, with no colon in DIR"),
    ("", ": no such folder"),
)


def make_root(folder):
    """A small root: busybox, tcpdump, and something to change."""
    root = folder / "root"
    for name in ("bin", "usr/bin", "folder", "real"):
        (root / name).mkdir(parents=True)
    shutil.copy(guest_file("images", "root", "bin", "busybox"), root / "bin")
    for name in (*APPLETS, "true"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(guest_file("images", "root", "usr", "bin", "tcpdump"),
                root / "usr/bin")
    (root / "bin" / "own").write_text("#!/bin/sh\necho from the folder\n")
    (root / "bin" / "own").chmod(0o755)
    (root / "mark").write_text("from the host\n")
    (root / "old").write_text("old\n")
    (root / "folder" / "file").write_text("file\n")
    # A link that points elsewhere in the host's root and in init's.
    (root / "link").symlink_to("/real")
    return root


def test_read_only(tap, folder):
    root = make_root(folder)
    before = state(root)
    (folder / "added").write_text("added\n")
    (folder / "shared").mkdir()
    (folder / "shared/file").write_text("")
    done = vm(["--root", str(root), "--env", "WORD=word",
               "--add", f"{folder}/added", "--add", f"{folder}/added:/link",
               "--share", f"{folder}/shared",
               "--get", f"/link/result:{folder}"], ["sh", "-c", READ_ONLY])
    tap.equal((done.returncode, done.stderr), (0, ""),
              "--root DIR: COMMAND ends with status 0 and no message")
    lines = iter(done.stdout.splitlines() + 30 * [""])
    tap.equal(next(lines), "/root", "--root DIR: COMMAND runs in /root")
    tap.equal(next(lines), "word /root /usr/local/sbin:/usr/local/bin:"
              "/usr/sbin:/usr/bin:/sbin:/bin",
              "--root DIR: COMMAND's environment, with what --env adds")
    tap.equal((next(lines), next(lines)), ("from the host", "lost"),
              "--root DIR: the guest reads the folder's files and what it writes itself")
    tap.equal((next(lines), next(lines)), ("added", "added"),
              "--root DIR: --add puts files into that root, also by a symbolic link")
    tap.equal(next(lines), "file", "--root DIR: --share is in that root, at /mnt")
    tap.equal([next(lines) for _ in MOUNTS], ["1" for _ in MOUNTS],
              f"--root DIR: {', '.join(MOUNTS)} are mounted")
    tap.equal(next(lines), "namespace",
              "--root DIR: COMMAND may make a user namespace (not so in a chroot)")
    tap.contains(next(lines), "IP 10.0.2.15 > 10.0.2.2: ICMP echo request",
                 "--root DIR: the folder's tcpdump captures by /dev/bpf")
    tap.equal((folder / "result").read_text(), "through\n",
              "--root DIR: --get finds the file by that root's symbolic link")
    tap.equal(state(root), before,
              "--root DIR: nothing has changed in the folder of the host")


def test_writable(tap, folder):
    root = make_root(folder)
    done = vm(["--no-capture", "--root", f"{root}:rw", "--get",
               f"new:{folder}"], ["sh", "-c", WRITABLE])
    tap.equal((done.returncode, done.stderr), (3, ""),
              "--root DIR:rw: COMMAND's status is passed on")
    tap.equal((root / "mark").read_text(), "changed\n",
              "--root DIR:rw: a file that the guest changes is changed in the folder")
    tap.ok(not (root / "old").exists() and (root / "renamed/file").exists()
           and (root / "root/new").read_text() == "made\n",
           "--root DIR:rw: files that the guest makes, renames and removes")
    tap.equal((folder / "new").read_text(), "made\n",
              "--root DIR:rw: --get brings a file out")
    done = vm(["--no-capture", "--root", f"{root}:rw", "--add", f"{root}/mark"],
              ["true"])
    tap.equal((done.returncode, done.stderr),
              (125, f"images/vm: --add {root}/mark: not with --root DIR:rw, as it "
                    "would stay in DIR: copy it there, or use --share\n"),
              "--root DIR:rw with --add is refused, with the reason")


def test_no_command(tap, folder):
    """The root has neither COMMAND nor a shell; init's own has both."""
    (folder / "empty").mkdir()
    done = vm(["--no-capture", "--root", f"{folder}/empty"], ["ls"])
    tap.equal((done.returncode, done.stdout, done.stderr),
              (127, "", "init: ls: No such file or directory\n"),
              "--root DIR without COMMAND in it: status 127, an error that names it")
    status, output = shell([*parameters([]), "--no-capture", "--root",
                            f"{folder}/empty"], b"")
    tap.equal(status, 127, "--root DIR without /bin/sh, for a shell: status 127")
    tap.contains(output.decode(errors="replace"),
                 "init: /bin/sh: No such file or directory",
                 "--root DIR without /bin/sh, for a shell: the error reports it")


def test_shell(tap, folder):
    root = make_root(folder)
    status, output = shell([*parameters([]), "--no-capture", "--root", str(root)],
                           b"own; cat /mark; exit 5")
    tap.equal(status, 5, "--root DIR: a shell's status is passed on")
    tap.contains(output.decode(errors="replace").replace("\r", ""),
                 "from the folder\nfrom the host",
                 "--root DIR: the shell runs a program of the folder's")


def test_panic(tap, folder):
    root = make_root(folder)
    done = vm(["--no-capture", "--root", str(root), "--get",
               f"/link/log:{folder}"], ["sh", "-c", PANIC])
    tap.equal(done.returncode, 125, "--root DIR and a kernel panic: status 125")
    tap.equal((folder / "log/file").read_text(), "before the panic\n",
              "--root DIR and a kernel panic: --get has what was written before")


def test_watched(tap, folder):
    """Without a tcpdump in the folder, that of init's own root is used."""
    root = make_root(folder)
    (root / "usr/bin/tcpdump").unlink()
    with Guest(folder, "--root", str(root)) as guest:
        guest.tell("while :; do ping -c 1 10.0.2.2; sleep 0.2; done >/dev/null &")
        tap.equal(guest.ask("echo ready"), "ready", "--root DIR to be watched: COMMAND runs")
        with Tshark(folder, "virtio-capture-vm", "-f", "icmp", "-c", "2", "-T",
                    "fields", "-e", "ip.src") as tshark:
            status, output, errors = tshark.finish()
        tap.ok((status, output) == (0, "10.0.2.15\n10.0.2.2\n"),
               "--root DIR without tcpdump: tshark shows the guest's frames",
               status, output, errors)
        tap.equal(guest.end(), (0, ""), "--root DIR that was watched: status 0, no message")


def test_bad(tap, folder):
    root = make_root(folder)
    for spec, message in BAD:
        done = vm(["--no-capture", "--root", spec.format(root=root)], ["true"])
        tap.equal((done.returncode, done.stderr),
                  (125, f"images/vm: --root {message.format(root=root)}\n"),
                  f"--root {message.format(root='DIR')[:40]}: status 125, and the error")
    (folder / "proc").mkdir()
    (folder / "dev").write_text("")
    done = vm(["--no-capture", "--root", str(folder)], ["true"])
    tap.equal(done.returncode, 125, "--root DIR with a file /dev: status 125")
    tap.contains(done.stderr, "guest: cannot mount /dev: Not a directory",
                 "--root DIR with a file /dev: the error names it")


tap = Tap()
for test in (test_read_only, test_writable, test_no_command, test_shell,
             test_panic, test_watched, test_bad):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tap.run(lambda tap: test(tap, folder))
sys.exit(tap.done())
