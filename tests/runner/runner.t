#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/test: outcomes, artifacts, parallel runs, and its end by a signal."""
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
import pcapng  # noqa: E402
from guest import TOP, guest_file  # noqa: E402
from tap import Tap  # noqa: E402

sys.path.insert(0, str(Path(TOP, "images")))
from launcher.errors import Failure  # noqa: E402
from runner.main import make_runs  # noqa: E402
from runner.options import parse  # noqa: E402

TEST = str(Path(TOP, "images", "test"))
QEMU = shutil.which("qemu-system-x86_64")

PLAIN = "# vm: --no-capture\n"
TESTS = {
    "a-passes": PLAIN + "echo fine; exit 0",
    "b skips": PLAIN + "echo first\necho 'no #hardware'; exit 77",
    "c-fails": "# vm: --add data/more\necho fails: $(cat more)\n"
               "echo error >&2; printf '\\001\\n'; ping -q -c 1 10.0.2.2; exit 3",
    "d#hangs": PLAIN + "#vm\n# vm: --timeout 12\nsleep 1000",
    "e-panics": PLAIN + "echo c >/proc/sysrq-trigger; sleep 1000",
}

# Options and test files, and a part of the error.
BAD = (
    ([], "no DIR or FILE (see images/test --help)"),
    (["--bogus", "good"], "unrecognized arguments: --bogus "),
    (["--jobs", "0", "good"], "argument --jobs: invalid jobs value: '0' "),
    (["--timeout", "x", "good"], "argument --timeout: invalid seconds value"),
    (["--vm", "'", "good"], "--vm: No closing quotation"),
    (["--vm", "--nics", "good"], "good: unknown option: --nics"),
    (["--junit", "no/file", "good"],
     "--junit no/file: cannot write to the folder no"),
    (["--junit", "empty", "good"], "--junit empty: a folder"),
    (["nothing"], "nothing: no such file or folder"),
    (["plain"], "plain: not executable"),
    (["empty"], "empty: no executable file in it"),
    (["a:b"], "a:b: a colon in the name, which images/vm --add does not allow"),
    (["bad"], "bad:3: --netdev user,id=x: the launcher sets the id"),
    (["quote"], "quote:2: No closing quotation"),
    (["own"], "own:2: --capture-dir=x is not allowed in a test"),
    (["--matrix", "smp", "good"],
     "--matrix smp: not KEY=VALUE or KEY=VALUE,VALUE..."),
    (["--matrix", "smp=1,", "good"], "--matrix smp=1,: not KEY=VALUE or"),
    (["--matrix", "smp=1,1", "good"], "--matrix smp=1,1: a value is given twice"),
    (["--matrix", "smp=1", "--matrix", "smp=2", "good"],
     "--matrix smp=2: smp is given twice"),
    (["--matrix", "colour=red", "good"],
     "--matrix colour=red: 'colour' is neither kernel, qemu nor an option"),
    (["--matrix", "no-capture=1", "good"], "'no-capture' is neither kernel"),
    (["--matrix", "smp=many", "good"], "good: argument --smp: invalid"),
    (["--matrix", "kernel=no", "good"],
     "--matrix kernel=no: no folder build/kernels/no (make image KVER=no "
     "GUEST_OUT=build/kernels/no)"),
    (["--matrix", "kernel=/no/no", "good"],
     "--matrix kernel=/no/no: /no/no: no such file or folder"),
    (["--matrix", "kernel=good:/no", "good"],
     "--matrix kernel=good:/no: /no: no such file or folder"),
    (["--matrix", "qemu=/no", "good"],
     "--matrix qemu=/no: /no: no such file or folder"),
    (["--matrix", "qemu=no", "good"],
     "--matrix qemu=no: no folder build/no/qemu-device (make device "
     "QEMU_RELEASE=no)"),
)


def write_test(path, text):
    """Writes a test for the guest's shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(folder, *words):
    """Runs images/test; returns its status, output and errors."""
    done = subprocess.run([TEST, *map(str, words)], cwd=folder, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def refusal(folder, words):
    """Returns why images/test refuses to start."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        make_runs(parse(words))
    except Failure as error:
        return str(error)
    finally:
        os.chdir(before)
    return "no error"


def make_folder(folder):
    """Makes the folder with all kinds of tests."""
    guests = folder / "guests"
    (guests / "data").mkdir(parents=True)
    (guests / "data/more").write_text("data of the test's")
    (guests / "README").write_text("not executable")
    write_test(guests / ".hidden", "exit 1")
    for name, text in TESTS.items():
        write_test(guests / name, text)


def check_junit(tap, path):
    """Checks the outcomes in the XML file."""
    suite = ElementTree.parse(path).getroot()[0]
    tap.equal([suite.get(name) for name in ("tests", "failures", "errors",
                                            "skipped")],
              ["5", "2", "1", "1"], "--junit: the numbers of outcomes")
    cases = [(case.get("name"), [part.tag for part in case][0],
              case[0].get("message")) for case in suite]
    tap.equal(cases, [
        ("guests/a-passes", "system-out", None),
        ("guests/b skips", "skipped", "no #hardware"),
        ("guests/c-fails", "failure", "exit status 3"),
        ("guests/d#hangs", "failure", "time limit expired"),
        ("guests/e-panics", "error", "images/vm or the guest failed")],
        "--junit: the outcomes")
    tap.contains(suite[2].find("system-out").text, "data of the test's\n",
                 "--junit: the output")


def test_outcomes(tap, folder):
    make_folder(folder)
    old = folder / "test-artifacts/guests_c-fails"
    old.mkdir(parents=True)
    for name in ("again", "old"):
        (old / name).touch()
    status, out, err = run(folder, "--jobs", 2, "--junit", "new.xml", "guests")
    tap.equal(status, 1, "images/test, some tests fail: status 1")
    tap.equal(out, "1..5\n"
                   "ok 1 - guests/a-passes\n"
                   "ok 2 - guests/b skips # SKIP no #hardware\n"
                   "not ok 3 - guests/c-fails\n"
                   "not ok 4 - guests/d\\#hangs\n"
                   "not ok 5 - guests/e-panics\n",
              "images/test --jobs 2: the outcomes are TAP, in the order of the tests")
    for text in ("# guests/c-fails: exit status 3\n"
                 "#   fails: data of the test's\n#   error\n#   ?\n",
                 "# artifacts in test-artifacts/guests_c-fails: console, eth0."
                 "pcapng, output; run again: test-artifacts/guests_c-fails/again",
                 "# guests/d#hangs: time limit expired\n"
                 "#   images/vm: the guest was ended after 12 s\n",
                 "# guests/e-panics: images/vm or the guest failed\n"):
        tap.contains(err, text, f"images/test, some tests fail: standard error has "
                     f"{text.splitlines()[0][2:]!r}")
    tap.equal(sorted(os.listdir(folder / "test-artifacts")),
              ["guests_c-fails", "guests_d_hangs", "guests_e-panics"],
              "images/test: artifacts of the tests that failed, of no others")
    tap.equal(sorted(os.listdir(old)),
              ["again", "console", "eth0.pcapng", "output"],
              "images/test: artifacts of an earlier run are replaced")
    tap.ok(len(pcapng.read(old / "eth0.pcapng").packets) >= 6,
           "images/test: the artifacts have the frames")
    tap.contains((folder / "test-artifacts/guests_e-panics/console").read_text(),
                 "Kernel panic - not syncing: sysrq triggered crash",
                 "images/test: the artifacts have the console's output")
    check_junit(tap, folder / "new.xml")
    done = subprocess.run([old / "again"], cwd="/", text=True, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True)
    tap.equal((done.returncode, done.stdout.splitlines()[0]),
              (3, "fails: data of the test's"),
              "the script again, in another folder: the same outcome")


def test_matrix(tap, folder):
    write_test(folder / "one", PLAIN + "echo $A; grep -ow one /proc/cmdline; uname -r; echo '#'")
    (folder / "kernel").mkdir()
    (folder / "kernel/images").symlink_to(guest_file("images"))
    status, out, err = run(
        folder, "--verbose", "--keep-all", "--artifacts", "kept", "--vm",
        "--memory 300M --env 'A=b c'", "--matrix", f"kernel=image,{folder}/kernel",
        "--matrix", f"qemu={QEMU}", "--matrix", "append=one", "one")
    tap.equal(status, 0, "--matrix with two kernels: status 0")
    release = Path(guest_file("images", "release")).read_text().split()[0]
    tap.equal(out, "1..2\n" + "".join(
        f"ok {number} - one (kernel={kernel}, qemu={QEMU}, append=one)\n"
        f"# b c\n# one\n# {release}\n# #\n" for number, kernel in (
            (1, "image"), (2, f"{folder}/kernel"))),
        "--matrix with two kernels, --verbose: two outcomes with their output")
    again = [path.read_text() for path in folder.glob("kept/*/again")]
    tap.equal((len(again), sum(f"GUEST_OUT={folder}/kernel" in text
                               for text in again),
               sum("--memory 300M --env 'A=b c' --no-capture --append=one "
                   in re.sub(f"--qemu {QEMU} ", "", text) for text in again)),
              (2, 1, 2), "--keep-all with --matrix: two scripts again, with their own options")
    tap.equal(err.count("# artifacts in kept/"), 2,
              "--keep-all with --matrix: standard error names the folders")


def test_signal(tap, folder):
    for name, text in (("a", "exit 0"), ("b", "echo there; sleep 1000"),
                       ("c", "exit 0")):
        write_test(folder / name, PLAIN + text)
    screen, terminal = pty.openpty()
    with subprocess.Popen(
            [TEST, "--jobs", "1", "--junit", "x.xml", "a", "b", "c"], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
            text=True, env={**os.environ, "TMPDIR": str(folder)}) as runner:
        os.close(terminal)
        launches.wait_until(runner, "1..3")
        launches.wait_until(runner, "ok 1 - a")
        output = folder / "test-artifacts/b/output"
        seen = ""
        while "there" not in (output.read_text() if output.exists() else ""):
            seen += os.read(screen, 4096).decode()
        runner.send_signal(signal.SIGINT)
        rest = runner.stdout.read()
    tap.equal((runner.returncode, rest), (130, "Bail out!  SIGINT\n"),
              "SIGINT: status 130, TAP ends with Bail out!")
    tap.ok(re.search(r"\r\[0/3\]  a \d+ s\x1b\[K", seen)
           and re.search(r"\r\[1/3\]  b \d+ s\x1b\[K", seen),
           "standard error is a terminal: it shows the progress", repr(seen))
    tap.equal((launches.leftovers(folder),
               (folder / "test-artifacts").exists()), ([], False),
              "SIGINT: no temporary files and no artifacts are left")
    tap.equal([case.get("name") for case in ElementTree.parse(
        folder / "x.xml").getroot()[0]], ["a"], "SIGINT: --junit has the tests that ended before")


def test_bad(tap, folder):
    for name, text in (
            ("good", ""), ("a:b", ""), ("own", "# vm: --capture-dir=x"),
            ("quote", "# vm: --env '"),
            ("bad", "# vm: --nic e1000\n# vm: --netdev user,id=x")):
        write_test(folder / name, text)
    (folder / "plain").write_text("")
    (folder / "empty").mkdir()
    (folder / "taken/good").mkdir(parents=True)
    for words, error in BAD:
        tap.contains(refusal(folder, words), error,
                     f"images/test {' '.join(words)}: the error {error!r}")
    for words, error in (
            BAD[0], (["--artifacts", "taken", "good"],
                     f"{folder}/taken/good exists, but is not from an "
                     "earlier run: choose other --artifacts")):
        status, _, err = run(folder, *words)
        tap.equal((status, err), (125, f"images/test: {error}\n"),
                  f"images/test {' '.join(words)}: status 125, the error is one line")
    tap.equal(sorted(os.listdir(folder / "taken/good")), [],
              "--artifacts with a folder of another origin: it is not changed")


tap = Tap()
for test in (test_outcomes, test_matrix, test_signal, test_bad):
    with tempfile.TemporaryDirectory() as name:
        tap.run(lambda tap: test(tap, Path(name)))
sys.exit(tap.done())
