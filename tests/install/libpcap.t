#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The shared libpcap for bpf-run: its symbols and where it is installed, bpf-run's
errors for programs that it cannot support, and AppArmor's profile."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

BUILD = tree.TOP / "build" / "tests" / "install" / "libpcap"
OUT = tree.TOP / "build" / "libpcap"
ROOT = OUT / "package"
LIBRARY = ROOT / "usr/lib/virtio-capture/libpcap.so.0.8"
BPF_RUN = ROOT / "usr/bin/bpf-run"
PROGRAMS = tree.DOWNLOADS / "programs"
VERSION = tree.make_variable("guest-driver", "VERSION")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

FILES = [
    "usr/bin/bpf-run",
    "usr/lib/virtio-capture/libpcap.so.0.8",
    "usr/share/man/man8/bpf-run.8",
    "usr/share/virtio-capture/apparmor/usr.bin.tcpdump",
]


def symbols(library):
    """Returns {name: (kind, version)} of a library's dynamic symbols."""
    status, lines = tree.run("objdump", "-T", library)
    if status:
        raise tree.Missing("\n".join(lines))
    found = {}
    for line in lines:
        match = re.match(r"[0-9a-f]{16} (.{7}) (\S+)\s+[0-9a-f]{16}\s+(.*)$",
                         line)
        if match and match[2] != "*UND*":
            *version, name = match[3].split()
            found[name] = (match[1], *version)
    return found


def header(library, field):
    """Returns the values of a field of a library's dynamic section."""
    _, lines = tree.run("objdump", "-p", library)
    return [line.split()[1] for line in lines
            if line.split()[:1] == [field]]


def bpf_run(*words, before=(), **variables):
    """Runs bpf-run; returns its exit status and output."""
    done = subprocess.run([*before, BPF_RUN, *map(str, words)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **variables}, check=False)
    return done.returncode, done.stdout


def debians_libpcap():
    """Returns the library in Debian's package, whose name ends in t64 from Debian 13
    on."""
    _, lines = tree.run("dpkg-query", "-W", "-f",
                        "${Package} ${db:Status-Status}\n", "libpcap0.8*")
    found = re.search(r"^(libpcap0\.8(t64)?) installed$", "\n".join(lines),
                      re.MULTILINE)
    if not found:
        raise tree.Missing("no package of libpcap is installed")
    package = found[1]
    unpacked = tree.DOWNLOADS / package
    status, lines = tree.run("images/fetch/package", package, unpacked)
    if status:
        raise tree.Missing("\n".join(lines))
    return next(unpacked.rglob("libpcap.so.0.8"))


def test_symbols(tap):
    """Programs that are linked with Debian's libpcap can be linked with this one."""
    theirs = debians_libpcap()
    expected, got = symbols(theirs), symbols(LIBRARY)
    tap.ok(len(expected) > 90, "Debian's libpcap has over 90 symbols",
           sorted(expected))
    tap.equal({name: (expected.get(name), got.get(name))
               for name in set(expected) | set(got)
               if expected.get(name) != got.get(name)}, {},
              "the library's dynamic symbols and versions are those of Debian's")
    tap.equal(header(LIBRARY, "SONAME"), header(theirs, "SONAME"),
              "the library's soname is that of Debian's")
    tap.ok(b"/dev/bpf" in LIBRARY.read_bytes()
           and b"/dev/bpf" not in theirs.resolve().read_bytes(),
           "the library opens /dev/bpf")


def test_package(tap):
    """The content of the Debian package; tests/packages tests the rest of it."""
    package = next(OUT.glob("*.deb"))
    status, lines = tree.run("dpkg-deb", "--contents", package)
    tap.ok(status == 0, "the package can be listed", *lines)
    names = [line.split()[5].removeprefix("./").removesuffix(".gz")
             for line in lines if not line.startswith("d")]
    tap.equal(sorted(name for name in names
                     if not name.startswith(("usr/share/doc/virtio-capture-",
                                             "usr/share/lintian/"))), FILES,
              "the package has its files, and replaces none of another package")
    _, lines = tree.run("dpkg-deb", "--field", package, "Version")
    tap.equal(lines, [VERSION], "the package has the driver's version")


def test_install(tap):
    """make install and make uninstall."""
    where = BUILD / "root"
    for target in ("install", "uninstall"):
        status, lines = tree.run("make", "-s", "-C", "guest-driver/libpcap",
                                 target, f"DESTDIR={where}")
        tap.ok(status == 0, f"make {target} succeeds", *lines)
        got = sorted(str(path.relative_to(where))
                     for path in where.rglob("*") if path.is_file())
        tap.equal(got, [name.replace("usr/", "usr/local/", 1)
                        for name in FILES] if target == "install" else [],
                  f"make {target}: the files installed")


def test_usage(tap):
    """bpf-run's options, and its errors for wrong arguments."""
    status, text = bpf_run("--version")
    tap.equal((status, text), (0, f"bpf-run {VERSION}\n"),
              "bpf-run --version prints the version")
    status, text = bpf_run("--help")
    tap.ok(status == 0 and text.startswith("usage: bpf-run PROGRAM"),
           "bpf-run --help prints its usage", text)
    for words, expected, message in (
            ([], 125, "no PROGRAM"), (["--nosuch"], 125, "--nosuch"),
            (["no-such-program"], 127, "no-such-program: no such program"),
            (["./no/such"], 127, "./no/such: no such program"),
            (["/etc/passwd"], 126, "/etc/passwd: not executable")):
        status, text = bpf_run(*words)
        tap.ok(status == expected and message in text
               and text.startswith("bpf-run: "),
               f"bpf-run {' '.join(words)}: status {expected}, and says why",
               status, text)


def test_library(tap):
    """The library that a program is run with."""
    status, text = bpf_run("sh", "-c", "echo $LD_LIBRARY_PATH; exit 7",
                           LD_LIBRARY_PATH="/before")
    tap.ok(f"{LIBRARY.parent}:/before\n" in text,
           "bpf-run: the library's folder comes before the caller's", text)
    tap.equal(status, 7, "bpf-run: the exit status is the program's")
    _, text = bpf_run("ldd", shutil.which("tcpdump"))
    tap.contains(text, f"libpcap.so.0.8 => {LIBRARY} ",
                 "bpf-run: tcpdump is linked to the library")
    if not Path("/dev/bpf").exists():
        tap.contains(text, "bpf-run: there is no /dev/bpf",
                     "bpf-run without /dev/bpf warns")
    status, text = bpf_run("busybox", "true")
    tap.ok(status == 0 and "busybox is statically linked" in text,
           "bpf-run of a static program warns", status, text)

    source = BUILD / "rpath.c"
    source.write_text("#include <pcap.h>\nint main(void)"
                      " { return !pcap_lib_version(); }\n")
    program = BUILD / "rpath"
    status, lines = tree.run(
        "gcc", "-o", program, source, "-lpcap", "-Wl,--disable-new-dtags",
        f"-Wl,-rpath,{os.path.dirname(os.path.realpath(library_path()))}")
    tap.ok(status == 0, "a program with an rpath can be linked", *lines)
    status, text = bpf_run(program)
    tap.ok(status == 125 and f"{program} uses another libpcap" in text,
           "bpf-run of a program that takes another libpcap is refused",
           status, text)


def library_path():
    """Returns the system's libpcap, which tcpdump is linked with."""
    _, lines = tree.run("ldd", shutil.which("tcpdump"))
    return re.search(r"libpcap\.so\.0\.8 => (\S+)", "\n".join(lines))[1]


def test_privileges(tap):
    """Programs that give a user more privileges."""
    if os.getuid():
        tap.skip("a setuid program", "only root can make one for another user")
        return
    # In /tmp: the user nobody may have no access to the tree.
    place = Path(subprocess.run(["mktemp", "-d"], check=True, text=True,
                                capture_output=True).stdout.strip())
    try:
        place.chmod(0o755)
        shutil.copytree(ROOT, place / "root")
        words = [*NOBODY, place / "root/usr/bin/bpf-run"]
        for name, prepare in (
                ("setuid", ["chmod", "4755"]), ("setgid", ["chmod", "2755"]),
                ("file capabilities", ["setcap", "cap_net_raw+ep"])):
            program = place / "program"
            shutil.copy(shutil.which("tcpdump"), program)
            status, lines = tree.run(*prepare, program)
            tap.ok(status == 0, f"a program with {name} can be made", *lines)
            status, lines = tree.run(*words, program, "--version")
            tap.ok(status == 125
                   and f"{program} is setuid, setgid or has file" in lines[-1],
                   f"bpf-run of a program with {name} by a user is refused",
                   status, *lines)
            status, text = bpf_run(program, "--version")
            tap.equal(status, 0,
                      f"bpf-run of a program with {name} by root succeeds")
    finally:
        shutil.rmtree(place)


def test_apparmor(tap):
    """Debian's profile of tcpdump with the product's addition."""
    base = BUILD / "apparmor.d"
    shutil.copytree(PROGRAMS / "etc/apparmor.d", base)
    parser = [PROGRAMS / "usr/sbin/apparmor_parser", "--skip-kernel-load",
              "--skip-cache", "--base", base]
    profile = base / "usr.bin.tcpdump"
    addition = base / "local/usr.bin.tcpdump"
    addition.write_text("")
    status, lines = tree.run(*parser, "--names", profile)
    tap.ok(status == 0 and lines[-1:] == ["tcpdump"],
           "Debian's AppArmor profile of tcpdump is there", status, *lines)
    shutil.copy(ROOT / "usr/share/virtio-capture/apparmor/usr.bin.tcpdump",
                addition)
    status, lines = tree.run(*parser, "--debug", profile)
    tap.ok(status == 0, "apparmor_parser takes the profile with the addition",
           *lines)
    text = "\n".join(lines)
    # Debian 12's parser prints "Mode", that of Debian 13 "Perms".
    for rule in (r"^(Mode|Perms):\trwa:.*\(/dev/bpf\)$",
                 r"^(Mode|Perms):\trm:.*lib/virtio-capture/libpcap.so"):
        tap.ok(re.search(rule, text, re.M),
               f"the profile with the addition has {rule}",
               *[line for line in lines if "bpf" in line or "pcap" in line])


def check(tap):
    """Runs all tests in a folder that is empty at first."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    tap.run(test_symbols, test_package, test_install, test_usage, test_library,
            test_privileges, test_apparmor)


tree.main(check)
