#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm --get with problems on the host: a full disk, a removed folder, a
signal, launchers in parallel, targets that are not regular files."""
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
from guest import TOP, vm  # noqa: E402
from tap import Tap  # noqa: E402

NO_SPACE = "No space left on device"
LARGE = ["sh", "-c", "head -c 4000000 /dev/zero >large; echo x >small; echo out"]


def test_full_target(tap, folder):
    target = folder / "disk"
    target.mkdir()
    # Only the command sees the small disk, so it prints the content.
    look = [*launches.small_disk(target, 1000000), "sh", "-c",
            f'echo old >{target}/large; "$@"; status=$?; cat {target}/large '
            f"{target}/small; ls -A {target}; exit $status", "sh"]
    status, out, err = launches.run("--get", f"large:{target}", "--get",
                                    f"small:{target}", command=LARGE,
                                    prefix=look)
    tap.equal((status, out), (125, "out\nold\nx\nlarge\nsmall\n"),
              "--get to a full disk: status 125, the old file stays, the other one comes out")
    tap.ok(err.startswith(f"images/vm: --get large:{target}: ")
           and err.count("\n") == 1,
           "--get to a full disk: the error is one line", err)


def test_full_temporary(tap, folder):
    target, tmp = folder / "out", folder / "tmp"
    target.mkdir()
    tmp.mkdir()
    image = Path(TOP, "build/images/initramfs").stat().st_size
    for what, size, expected in (
            ("the guest's image", 1000000, (125, "")),
            ("an archive", image + 3000000, (125, "out\n"))):
        status, out, err = launches.run(
            "--get", f"large:{target}", "--get", f"small:{target}", tmp=tmp,
            command=LARGE, prefix=launches.small_disk(tmp, size))
        tap.equal((status, out), expected,
                  f"no space in TMPDIR for {what}: the status")
        tap.ok(NO_SPACE in err and err.count("\n") == 1,
               f"no space in TMPDIR for {what}: the error is one line", err)
    tap.equal(os.listdir(target), ["small"],
              "no space in TMPDIR: the file that fits comes out")


def test_no_temporary(tap, folder):
    tap.contains(launches.run(tmp=folder / "no", command=["true"])[2],
                 f"images/vm: {folder}/no/",
                 "TMPDIR that does not exist: the error names it")


def test_folder_goes(tap, folder):
    target = folder / "target"
    target.mkdir()
    guest = launches.start("--get", f"file:{target}/file", stdin=-1, command=[
        "sh", "-c", "echo x >file; echo ready; read line"])
    launches.wait_until(guest, "ready")
    target.rmdir()
    tap.equal(guest.communicate("on\n"), ("", ""),
              "--get, the target's folder is removed before the end: no message")
    tap.equal((guest.returncode, (target / "file").read_text()), (0, "x\n"),
              "--get, the target's folder is removed before the end: it is made again")


def test_signal(tap, folder):
    shim = launches.shim(folder, "tar",
                         'kill -TERM $PPID; sleep 1; exec "$real" "$@"')
    tap.equal(launches.run("--get", f"file:{folder}", path=shim,
                           command=["sh", "-c", "echo x >file"]),
              (143, "", ""), "SIGTERM while --get unpacks: status 143")
    tap.equal((folder / "file").read_text(), "x\n",
              "SIGTERM while --get unpacks: the file comes out")


def test_two_launchers(tap, folder):
    both = [launches.start("--get", f"tree:{folder}", command=[
        "sh", "-c", f"mkdir tree; head -c 2000000 /dev/zero | tr '\\0' {text}"
                    f" >tree/file; echo {text} >tree/{text}"])
            for text in "ab"]
    tap.equal([launches.finish(one) for one in both], [(0, "", "")] * 2,
              "--get of two launchers to the same target: both succeed")
    tap.ok((folder / "tree/file").read_bytes() in (b"a" * 2000000,
                                                   b"b" * 2000000),
           "--get of two launchers to the same target: the file is whole, of one of them")
    tap.equal(sorted(os.listdir(folder / "tree")), ["a", "b", "file"],
              "--get of two launchers to the same target: the folder has what both have")


def test_one_place(tap, folder):
    (folder / "sub").mkdir()
    (folder / "locked").mkdir(mode=0o500)
    for first, second in ((f"a/x:{folder}", f"b/x:{folder}/"),
                          (f"a:{folder}/x", f"b:{folder}/sub/../x")):
        status, _, err = launches.run("--get", first, "--get", second,
                                      command=["true"])
        tap.equal((status, err), (
            125, f"images/vm: --get {second}: --get {first} has the same "
                 "target\n"), f"--get {first} and --get {second}: refused")
    status, _, err = launches.run("--get", f"/:{folder}", command=["true"])
    tap.equal((status, err), (125, f"images/vm: --get /:{folder}: the root "
                                   "folder has no name\n"),
              "--get of /: refused")


def test_read_only(tap, folder):
    script = (f"mount -t tmpfs tmpfs {folder}; echo old >{folder}/file;"
              f"mount -o remount,ro {folder}")
    status, _, err = launches.run("--get", f"file:{folder}", command=["true"],
                                  prefix=launches.mounts(script))
    tap.equal((status, err), (125, f"images/vm: --get file:{folder}: cannot "
                                   f"write to {folder}\n"),
              "--get to a disk that cannot be written: refused before COMMAND")


def test_names(tap, folder):
    status, _, err = launches.run(
        "--get", f"two\nlines:{folder}", "--get", f"no\nne:{folder}",
        command=["sh", "-c", "echo x >'two\nlines'"])
    tap.equal((status, err), (
        125, "images/vm: guest: --get /root/no?ne: No such file or "
             "directory\n"),
              "--get of names with a newline: one line for each problem")
    tap.equal((folder / "two\nlines").read_text(), "x\n",
              "--get of names with a newline: the file comes out")


def test_special_targets(tap, folder):
    fifo, link, real = folder / "fifo", folder / "link", folder / "real"
    os.mkfifo(fifo)
    real.write_text("old and longer\n")
    link.symlink_to("real")
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()),
                              daemon=True)
    reader.start()
    done = launches.run(
        "--get", f"a:{fifo}", "--get", f"b:{link}", "--get",
        "c:/dev/stdout", command=[
            "sh", "-c", "for f in a b c; do echo $f >$f; done; echo out"])
    tap.equal(done, (0, "out\nc\n", ""),
              "--get to /dev/stdout: the file is written to standard output")
    reader.join(60)
    tap.equal(read, ["a\n"], "--get to a FIFO: the file is written to it")
    tap.equal((os.readlink(link), real.read_text()), ("real", "b\n"),
              "--get to a symbolic link: the link's target is written")


def test_merge(tap, folder):
    tree = folder / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/mine").write_text("mine\n")
    (tree / "old").write_text("old\n")
    (tree / "folder").mkdir()
    tap.equal(launches.run("--get", f"tree:{folder}", command=[
        "sh", "-c", "mkdir -p tree/sub; echo new >tree/old;"
                    "echo new >tree/sub/theirs"]), (0, "", ""),
              "--get of a folder into one that exists succeeds")
    found = {str(path.relative_to(tree)): path.read_text()
             for path in tree.rglob("*") if path.is_file()}
    tap.equal(found, {"sub/mine": "mine\n", "sub/theirs": "new\n",
                      "old": "new\n"},
              "--get of a folder into one that exists: it has the files of both")
    status, _, err = launches.run("--get", f"tree:{folder}", command=[
        "sh", "-c", "mkdir tree; echo x >tree/folder"])
    tap.equal((status, err), (125, f"images/vm: --get tree:{folder}: {tree}/"
                                   "folder: a folder, but not in the guest\n"),
              "--get of a folder where a file would go: the error is one line")
    tap.equal(launches.leftovers(folder) + launches.leftovers(tree), [],
              "--get leaves no temporary files")


def test_early_reader(tap, folder):
    done = subprocess.run(
        f"'{TOP}/images/vm' --no-capture --get file:{folder} --"
        " sh -c 'echo x >file; yes' | head -n 1; echo ${PIPESTATUS[0]}",
        shell=True, executable="/bin/bash", capture_output=True, text=True,
        stdin=subprocess.DEVNULL, check=False)
    tap.equal((done.stdout, done.stderr), ("y\n141\n", ""),
              "--get and output without a reader: the guest ends")
    tap.equal((folder / "file").read_text(), "x\n",
              "--get and output without a reader: the file comes out")


def test_many(tap, folder):
    """Needs more ports than one controller has."""
    names = [f"file{number}" for number in range(40)]
    done = vm([word for name in names
               for word in ("--get", f"{name}:{folder}/{name}")],
              ["sh", "-c", "for i in $(seq 0 39); do echo $i >file$i; done; "
               "sleep 3; echo end"])
    tap.equal((done.returncode, done.stdout), (0, "end\n"),
              "40 files to get: the command runs to its end")
    tap.equal([(folder / name).read_text() for name in names],
              [f"{number}\n" for number in range(40)],
              "40 files to get: all of them come out")


tap = Tap()
for test in (test_full_target, test_full_temporary, test_no_temporary,
             test_folder_goes, test_signal, test_two_launchers, test_one_place,
             test_read_only, test_names, test_special_targets, test_merge,
             test_early_reader, test_many):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
