# SPDX-License-Identifier: GPL-2.0-or-later
"""
A private libvirt, and guests that it runs.

Its daemon is for a user's domains (qemu:///session) or, as root, for the system's
(qemu:///system). It runs in name spaces with the test's folders, and all its processes
end with the test.
"""
import itertools
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from emulator import QEMU
from folders import scratch
from guest import ARCH, TIME_SCALE, TOP
from channel import Channel
from lifecycle import AGENT, Guest
from tap import skip_all
from waiting import PATIENCE, wait_for

sys.path.insert(0, str(Path(TOP, "images")))
from launcher import image, qemu  # noqa: E402

# In these name spaces the test is not root.
SESSION = ["--user", "--map-user=1000", "--map-group=1000"]

# In these name spaces root has a private network, and the folders and the user that a
# system's libvirt uses.
SYSTEM = ["--mount", "--net"]
PREPARE = """
for folder in /run /var /etc/libvirt; do mount -t tmpfs tmpfs $folder; done
mkdir /var/lib /var/cache /var/log /var/tmp
ln -s /run /var/run
cp /etc/passwd /etc/group /run
if ! grep -q ^libvirt-qemu: /run/passwd; then
    echo libvirt-qemu:x:64055:64055::/:/bin/false >> /run/passwd
    echo libvirt-qemu:x:64055: >> /run/group
fi
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
ip link set lo up
"""

# The ports of images/guest/init that connect the test to the agent in the guest.
PORTS = ("result", "stdin", "stdout")


def inside(system):
    """Returns a prefix that runs a command in such name spaces, with a shell as
    the first process, which reaps orphans."""
    return ["unshare", *(SYSTEM if system else SESSION), "--pid", "--fork",
            "--kill-child", "--mount-proc", "--", "sh", "-ec",
            (PREPARE if system else "") + '"$@" || exit $?', "sh"]


def enter(program, system=False):
    """Executes the test again in name spaces; skips it if that is not possible."""
    if os.environ.get("CAPTURE_LIBVIRT"):
        return
    check = subprocess.run([*inside(system), "true"], stderr=subprocess.PIPE,
                           text=True)
    if check.returncode:
        skip_all("cannot make name spaces: " + check.stderr.strip())
    os.environ["CAPTURE_LIBVIRT"] = "1"
    os.execvp("unshare", [*inside(system), sys.executable,
                          os.path.abspath(program)])


# virtlogd, the daemon for guests' consoles, is not running.
SESSION_CONF = 'stdio_handler = "file"\n'

# The means to confine a system's QEMU do not exist, and its user cannot read the tree.
SYSTEM_CONF = SESSION_CONF + """
user = "root"
group = "root"
namespaces = []
cgroup_controllers = []
security_driver = "none"
"""


class Failure(Exception):
    """A command of virsh failed; the text is its error."""


class Libvirt:
    """A context manager that runs the daemon."""

    def __init__(self, system=False):
        self.folder = scratch()
        self.environment = dict(os.environ)
        config, sockets = Path("/etc/libvirt"), Path("/run")
        if not system:
            config, sockets = self._own_folders()
        (config / "qemu.conf").write_text(SYSTEM_CONF if system
                                          else SESSION_CONF)
        (config / "libvirtd.conf").write_text('auth_unix_rw = "none"\n')
        self.socket = sockets / "libvirt/libvirt-sock"
        self.uri = f"qemu:///{'system' if system else 'session'}" \
                   f"?socket={self.socket}"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["/usr/sbin/libvirtd"], env=self.environment, stdout=log,
                stderr=log)

    def _own_folders(self):
        """Makes a user's folders; returns those of the configuration and the
        socket."""
        folders = {f"XDG_{name}": self.folder / name for name in (
            "RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME")}
        for name, path in folders.items():
            path.mkdir(0o700)
            self.environment[name] = str(path)
        self.environment["HOME"] = str(self.folder)
        config = folders["XDG_CONFIG_HOME"] / "libvirt"
        config.mkdir()
        return config, folders["XDG_RUNTIME_DIR"]

    def __enter__(self):
        wait_for(self.socket.exists, "libvirtd")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            for name in self("list", "--name").split():
                self("destroy", name)
            self.process.terminate()
            self.process.wait()

    def run(self, *words, **options):
        """Runs one of libvirt's programs; returns a CompletedProcess."""
        return subprocess.run(
            [str(word) for word in words], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
            **options)

    def __call__(self, *words):
        """Runs a command of virsh that must succeed; returns its output."""
        done = self.run("virsh", "--quiet", "--connect", self.uri, *words)
        if done.returncode:
            log = (self.folder / "log").read_text(errors="replace")
            raise Failure(f"virsh {words[0]}: {done.stderr}{log[-2000:]}")
        return done.stdout.strip()


def boot(folder, macs=()):
    """Returns the XML inside <os> for a guest with the agent, whose NICs have these
    addresses."""
    settings = [("nic", mac) for mac in macs] + [
        ("capture", 1), ("patience", round(30 * TIME_SCALE)), ("stdin", 1),
        ("merged", 1), ("arg", "./agent")]
    initrd = folder / "initrd"
    image.write_initrd(initrd, image.image_folder(ARCH), settings, [AGENT],
                       folder)
    words = ["console=ttyS0", *qemu.KERNEL_PARAMETERS, *qemu.patience(),
             "i8042.noaux", "i8042.nokbd"]
    return f"""
    <kernel>{image.image_file(ARCH, "kernel").resolve()}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{" ".join(words)}</cmdline>"""


def devices(folder):
    """Returns the XML of the devices that the agent needs, a console, and the QEMU
    under test."""
    return f"""
    <emulator>{shutil.which(QEMU)}</emulator>
    <serial type='file'><source path='{folder}/console'/></serial>
    <controller type='virtio-serial' index='0'/>""" + "".join(f"""
    <channel type='unix'>
      <source mode='bind' path='{folder}/{name}'/>
      <target type='virtio' name='{name}'/>
    </channel>""" for name in PORTS) + """
    <memballoon model='none'/>"""


class Domain(Guest):
    """A context manager: the guest of a running domain, whose XML has boot() and
    devices() of the same folder."""

    def __init__(self, libvirt, name, folder):
        # Does not call the base class's, which starts a launcher.
        self.tags = (str(n) for n in itertools.count())
        self.slots = set()
        self.answers = {}
        self.libvirt = libvirt
        self.name = name
        self.folder = folder
        self.ports = {}

    def __exit__(self, *_):
        if self.name in self.libvirt("list", "--name").split():
            self.libvirt("destroy", self.name)

    def connect(self):
        """Connects to the guest's ports; to be called again after a migration."""
        for name in PORTS:
            end = socket.socket(socket.AF_UNIX)
            end.connect(str(self.folder / name))
            self.ports[name] = Channel(end)
            # Longer, as the guest has to boot.
            end.settimeout(6 * PATIENCE)
        return self

    def _line(self):
        try:
            return self.ports["stdout"].line()
        except OSError as error:
            raise TimeoutError(f"{error}: {self.complaints()}") from None

    def _say(self, line):
        self.ports["stdin"].send(line)

    def complaints(self):
        """Returns the console's output."""
        return (self.folder / "console").read_text(errors="replace")

    def end(self, tap):
        """Checks that the guest's kernel has reported no error."""
        taint = self.shell("cat /proc/sys/kernel/tainted")
        tap.equal(int(taint) & ~0x3000, 0, "the guest's kernel reports no error")
