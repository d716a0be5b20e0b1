# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the system of the image in a folder: Debian's packages, the driver, the
user's packages, and what the user's scripts do."""
import os
import shutil
from pathlib import Path

from launcher.errors import Failure

from . import needs
from .options import is_file_name
from .programs import run

HERE = Path(__file__).resolve().parent

# In addition to Debian's essential packages and apt. tcpdump is Debian's own.
PACKAGES = ("linux-image-amd64", "initramfs-tools", "zstd", "kmod", "udev",
            "systemd", "systemd-sysv", "systemd-resolved", "dbus",
            "openssh-server", "qemu-guest-agent", "iproute2", "iputils-ping",
            "ca-certificates", "less", "tcpdump", "libcap2-bin")
DKMS_PACKAGES = ("dkms", "linux-headers-amd64")

SOURCES = """\
. "$(dirname "$0")/private-apt.sh"
me=images/build
lock_downloads
private_apt_configure
cp "$apt_dir"/parts/* "$1"
"""


def sources(release, folder):
    """Write this machine's apt sources, changed to the release and without
    source packages and backports, into a new folder, and return the files."""
    folder.mkdir()
    run(["sh", "-euc", SOURCES, needs.TOP / "images" / "fetch" / "private-apt.sh", folder],
        "the sources of this machine's apt", DEBIAN_RELEASE=release)
    for path in folder.iterdir():
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(
            line.replace("deb deb-src", "deb").replace(f" {release}-backports",
                                                       "")
            for line in lines if not line.startswith("deb-src")
            and not (line.startswith("deb ") and f" {release}-backports "
                     in line)))
    files = sorted(folder.iterdir())
    if not files:
        raise Failure("this machine's apt has no source of a release of "
                      "Debian")
    return files


def gather(options, work):
    """Copy packages, scripts and keys to the folders that customize reads."""
    debs = work / "debs"
    debs.mkdir()
    files = needs.own_packages(options.dkms) + [
        Path(name) for name in options.package if is_file_name(name)]
    for number, path in enumerate(files):
        # The number keeps files of the same name apart.
        shutil.copyfile(path, debs / f"{number}-{path.stem}.deb")
    scripts = work / "scripts"
    scripts.mkdir()
    for number, name in enumerate(options.script):
        shutil.copyfile(name, scripts / f"{number:03}-{os.path.basename(name)}")
    (work / "authorized_keys").write_text(
        "".join(f"{key}\n" for key in options.keys))


def make(options, work):
    """Make the system in work/root, and return that folder."""
    gather(options, work)
    root = work / "root"
    (work / "tmp").mkdir()
    packages = [*PACKAGES, *(DKMS_PACKAGES if options.dkms else ()),
                *(name for name in options.package if not is_file_name(name))]
    run(["mmdebstrap", "--mode=root", "--format=directory",
         "--variant=minbase", f"--include={','.join(packages)}",
         '--aptopt=Acquire::Languages "none"',
         '--aptopt=APT::Install-Recommends "false"',
         f"--dpkgopt={HERE / 'dpkg.cfg'}", "--dpkgopt=force-unsafe-io",
         f'--essential-hook=cp -R "{HERE}/files/." "$1"',
         f"--customize-hook={HERE / 'customize'}", options.release, root,
         *sources(options.release, work / "sources")],
        f"the system of {options.release}", options.verbose,
        TMPDIR=str(work / "tmp"), DISK_WORK=str(work),
        DISK_HOSTNAME=options.hostname,
        DISK_DKMS="yes" if options.dkms else "")
    finish(root)
    return root


def finish(root):
    """Remove files that were needed only to make the image, and files that must
    differ on each machine."""
    (root / "etc/apt/apt.conf.d/99mmdebstrap").unlink()
    # Keep the exclusions for later upgrades.
    (root / "etc/dpkg/dpkg.cfg.d/99mmdebstrap").unlink()
    shutil.copyfile(HERE / "dpkg.cfg",
                    root / "etc/dpkg/dpkg.cfg.d/virtio-capture")
    # Generated at the first boot.
    (root / "etc/machine-id").write_text("")
    for name in ("var/lib/dbus/machine-id", "var/lib/systemd/random-seed",
                 "etc/resolv.conf"):
        (root / name).unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to(
        "../run/systemd/resolve/stub-resolv.conf")
    for log in (root / "var/log").rglob("*"):
        if log.is_file() and not log.is_symlink():
            log.unlink()
