#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages that Debian's list has and its server lacks: images/fetch/kernel fails
and names the package, make check-kernels and make check-release report that they
tested nothing. Also the end of make check-release by a signal, and the names of
kernels that images/fetch/kernel accepts.

The test's own server, on the loopback interface, has a list of packages but no
packages. A copy of this tree runs in a mount name space in which /etc/apt names that
server."""
import contextlib
import hashlib
import http.server
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402
from tap import Tap  # noqa: E402

# A shell that starts this in the background ignores SIGINT, and so would the
# commands that are tested.
signal.signal(signal.SIGINT, signal.default_int_handler)

RELEASE = "9.9.9-amd64"
VERSION = "9.9.9-1"

# The packages of a system, of a kernel and of the programs that build it.
PACKAGES = {
    "base-files": "Essential: yes",
    "apt": "",
    "ca-certificates": "",
    "git": "",
    "linux-headers-amd64": f"Depends: linux-headers-{RELEASE} (= {VERSION})",
    f"linux-headers-{RELEASE}": "",
    f"linux-image-{RELEASE}": "",
    **dict.fromkeys(("make", "bash", "dash", "coreutils", "sed", "grep", "mawk",
                     "findutils", "sparse"), ""),
}


def package_list():
    """A Packages file, whose files do not exist."""
    return "".join(
        f"Package: {name}\nVersion: {VERSION}\nArchitecture: amd64\n"
        f"Maintainer: nobody <nobody@example.org>\nDescription: {name}\n"
        + (f"{more}\n" if more else "")
        + f"Filename: pool/{name}_{VERSION}_amd64.deb\nSize: 1000\n"
          f"SHA256: {hashlib.sha256(name.encode()).hexdigest()}\n\n"
        for name, more in PACKAGES.items()).encode()


def served_files():
    """The lists of a release and of its backports, which have no packages."""
    files = {}
    for suite, packages in (("trixie", package_list()),
                            ("trixie-backports", b"")):
        lists = {"main/binary-amd64/Packages": packages,
                 "main/source/Sources": b""}
        files.update((f"/dists/{suite}/{name}", text)
                     for name, text in lists.items())
        files[f"/dists/{suite}/Release"] = (
            f"Codename: {suite}\nSuite: {suite}\nArchitectures: amd64\n"
            "Components: main\nSHA256:\n" + "".join(
                f" {hashlib.sha256(text).hexdigest()} {len(text)} {name}\n"
                for name, text in lists.items())).encode()
    return files


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers requests for lists, and others with 404. While the server holds, it
    does not answer requests for packages."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/pool/") and self.server.holds:
            self.server.asked.set()
            self.server.released.wait()
        answer = self.server.files.get(self.path)
        with contextlib.suppress(OSError):
            if answer is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)


class Copy:
    """A copy of this tree with that server as Debian's."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.files = served_files()
        self.server.holds = False
        self.server.asked = threading.Event()
        self.server.released = threading.Event()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.top = self.folder / "tree"
        subprocess.run(["git", "clone", "--quiet", tree.TOP, self.top],
                       check=True)
        # With changes that are not committed yet.
        for name in tree.files():
            subprocess.run(["cp", "--parents", "-p", name, self.top],
                           cwd=tree.TOP, check=True)
        apt = self.folder / "apt"
        for name in ("apt.conf.d", "preferences.d"):
            (apt / name).mkdir(parents=True)
        (apt / "sources.list").write_text(
            "deb [trusted=yes] http://127.0.0.1:"
            f"{self.server.server_address[1]}/ "
            f"{os_release('VERSION_CODENAME')} main\n")

    def start(self, *words):
        """Starts a command in the copy."""
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        environment = {name: value for name, value in os.environ.items()
                       if not name.lower().endswith("_proxy")
                       and name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL",
                                        "KVER", "TESTS", "GUEST_OUT")}
        return subprocess.Popen(
            ["unshare", *user, "--mount", "sh", "-c",
             'mount --bind "$1" /etc/apt && shift && exec "$@"', "sh",
             self.folder / "apt", *words],
            cwd=self.top, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)

    def run(self, *words):
        """Runs a command in the copy; returns its status and output."""
        process = self.start(*words)
        text = process.communicate()[0]
        return process.returncode, text


def os_release(name):
    """A value of /etc/os-release."""
    for line in Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == name:
            return value.strip('"')
    return ""


def test_kernel_names(tap, copy):
    for name, reason in (
            ("../trixie", "not a valid kernel name"),
            ("-t", "not a valid kernel name"),
            ("", "not a valid kernel name"),
            ("sarge", "Debian has no release of that name"),
            ("1.2.3-4", "none of Debian's releases bookworm trixie"),
            ("1.2.3+deb13-amd64", "none of Debian's releases")):
        status, text = copy.run("images/fetch/kernel", name)
        tap.ok(status == 1, f"KVER={name} is refused", text)
        tap.contains(text, f"images/fetch/kernel: KVER={name}: {reason}",
                     f"KVER={name}: the error has the reason")
    for name in ("trixie", RELEASE, VERSION):
        status, text = copy.run("images/fetch/kernel", "--headers", name)
        found = copy.top / "build" / "downloads" / "kernels" / f"{name}.found"
        tap.equal(found.exists() and found.read_text(),
                  f"trixie {RELEASE} {VERSION}\n",
                  f"KVER={name} is the kernel {RELEASE}")


def test_kernel_gone(tap, copy):
    status, text = copy.run("images/fetch/kernel", "--headers", "trixie")
    tap.ok(status == 1, "fetch/kernel fails if the server lacks a package", text)
    tap.contains(text, f"linux-headers-{RELEASE}_{VERSION}_amd64.deb",
                 "fetch/kernel fails if the server lacks a package: the error names it")
    kept = copy.top / "build" / "downloads" / "kernels" / RELEASE
    tap.ok(not kept.exists(),
           "fetch/kernel fails if the server lacks a package: nothing of the kernel is kept")


def test_kernels_gone(tap, copy):
    status, text = copy.run("tests/kernels/run", RELEASE)
    tap.ok(status != 0, "check-kernels does not pass if it tested nothing", text)
    tap.contains(text, f"Linux of {RELEASE}: SKIPPED, not tested: Debian's "
                 "server does not have ",
                 "check-kernels that tested nothing: the output names the skipped kernel")
    tap.contains(text, "none was tested",
                 "check-kernels that tested nothing: the output reports it")


def test_release_gone(tap, copy):
    status, text = copy.run("images/fetch/check-release", "trixie", "check-short")
    tap.ok(status == 77, "check-release: status 77 if the server lacks a "
           "package", text)
    tap.contains(text, "SKIPPED: Debian's server does not have ",
                 "check-release, package lacking: the output says that it was skipped")
    left = copy.top / "build" / "downloads" / "releases"
    tap.equal([path.name for path in left.iterdir() if path.is_dir()], [],
              "check-release, package lacking: no half-made system is kept")


def processes_of(session):
    """The command lines of the processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if entry.name.isdigit() and \
                    os.getsid(int(entry.name)) == session:
                found.append((entry / "cmdline").read_bytes())
    return found


def test_release_ended(tap, copy, name, end):
    copy.server.asked.clear()
    copy.server.released.clear()
    copy.server.holds = True
    process = copy.start("images/fetch/check-release", "trixie", "check-short")
    tap.ok(copy.server.asked.wait(60),
           f"{name}: check-release asks for a package")
    end(process.pid)
    try:
        text = process.communicate(timeout=30)[0]
        tap.ok(process.returncode == 130, f"{name} ends it with status 130",
               process.returncode, text)
    except subprocess.TimeoutExpired:
        tap.ok(False, f"{name} ends it with status 130", "it still runs",
               *processes_of(process.pid))
    deadline = time.monotonic() + 10
    while processes_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    tap.equal(processes_of(process.pid), [],
              f"{name}: no process of it is left")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    copy.server.released.set()


def test_release_interrupted(tap, copy):
    test_release_ended(tap, copy, "SIGINT from a terminal",
                       lambda pid: os.killpg(pid, signal.SIGINT))


def test_release_terminated(tap, copy):
    test_release_ended(tap, copy, "SIGTERM",
                       lambda pid: os.kill(pid, signal.SIGTERM))


def main(tap):
    if tree.run("unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]),
                "--mount", "true")[0]:
        tap.skip("a server without packages",
                 "this user may not make mount name spaces")
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        tests = [test_kernel_names, test_kernel_gone, test_kernels_gone]
        if os.geteuid() == 0:
            tests += [test_release_gone, test_release_interrupted,
                      test_release_terminated]
        else:
            tap.skip("check-release", "needs root")
        for test in tests:
            test(tap, copy)


TAP = Tap()
TAP.run(main)
sys.exit(TAP.done())
