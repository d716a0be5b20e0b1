#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""images/vm: a guest that suspends, and its ports afterwards."""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import launches  # noqa: E402
from tap import Tap  # noqa: E402

# Suspends the devices only; the machine keeps running, see lifecycle/power.t.
SUSPEND = """
echo 0 > /sys/module/suspend/parameters/pm_test_delay
echo devices > /sys/power/pm_test
echo freeze > /sys/power/state
"""

# Suspends twice, and uses all ports of a guest: input, both outputs, a file, the
# status.
SCRIPT = f"""
echo before
read line && echo "read $line"
{SUSPEND}
echo after
read line && echo "read $line" >&2
{SUSPEND}
echo kept > file
read line || echo end
exit 7
"""


def test_ports(tap):
    with tempfile.TemporaryDirectory() as folder:
        launcher = launches.start(
            "--smp", 2, "--get", f"file:{folder}", "--timeout", 60,
            command=["sh", "-c", SCRIPT], stdin=subprocess.PIPE)
        launches.wait_until(launcher, "before")
        launcher.stdin.write("one\n")
        launcher.stdin.flush()
        launches.wait_until(launcher, "read one")
        launches.wait_until(launcher, "after")
        tap.equal(launcher.communicate("two\n"), ("end\n", "read two\n"),
                  "two suspends: input and both outputs work")
        tap.equal(launcher.returncode, 7, "two suspends: the exit status is COMMAND's")
        file = Path(folder, "file")
        tap.equal(file.exists() and file.read_text(), "kept\n",
                  "two suspends: --get brings the file out")


TAP = Tap()
TAP.run(test_ports)
sys.exit(TAP.done())
