#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a kernel's console that are faults, and lines that are not."""
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "lib"), str(TESTS.parent / "images")]
sys.dont_write_bytecode = True
from launcher import console  # noqa: E402
from tap import Tap  # noqa: E402

FAULTS = """
Kernel panic - not syncing: sysrq triggered crash
WARNING: CPU: 0 PID: 91 at net/core/dev.c:14 function+0x2c/0x1000
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
WARNING: inconsistent lock state
BUG: kernel NULL pointer dereference, address: 0000000000000008
BUG: unable to handle page fault for address: ffffc90000400000
BUG: KASAN: slab-out-of-bounds in vcap_read+0x10/0x20
BUG: sleeping function called from invalid context at mm/slab.h:274
BUG: scheduling while atomic: swapper/0/0/0x00000002
BUG: Bad page state in process init  pfn:01234
BUG kmalloc-64 (Not tainted): Poison overwritten
kernel BUG at mm/slub.c:380!
Oops: 0002 [#1] PREEMPT SMP NOPTI
general protection fault, probably for non-canonical address
watchdog: BUG: soft lockup - CPU#0 stuck for 2s! [insmod:95]
NMI watchdog: Watchdog detected hard LOCKUP on cpu 0
INFO: task insmod:95 blocked for more than 1 seconds.
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks
UBSAN: array-index-out-of-bounds in file.c:12:3
refcount_t: underflow; use-after-free.
list_del corruption. prev->next should be ffff888
unregister_netdevice: waiting for eth0 to become free. Usage count = 2
INFO: trying to register non-static key.
INFO: lockdep is turned off.
[ BUG: Invalid wait context ]
kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
kmemleak: Kernel memory leak detector disabled
unreferenced object 0xffff888012345678 (size 128):
ODEBUG: Out of memory. ODEBUG disabled
Objects remaining in vcap_frames on __kmem_cache_shutdown()
"""

HARMLESS = """
acpi PNP0A03:00: fail to add MMCONFIG information, can't access extended PCI
virtio_capture: loading out-of-tree module taints kernel.
virtio_capture: module verification failed: signature and/or required key
virtio_capture virtio3: capture0 ready
e100 0000:00:04.0: firmware: failed to load e100/d102e_ucode.bin (-2)
rcu: Preemptible hierarchical RCU implementation.
x86/bugs: Speculative Store Bypass: Vulnerable
Spectre V2 : Vulnerable
random: crng init done
kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)
reboot: Power down
Freeing unused kernel image (initmem) memory: 2824K
DEBUG: this is no fault
"""


def seen(text, piece=1000, **keywords):
    """A Console that got the text in pieces."""
    result, data = console.Console(**keywords), text.encode()
    for start in range(0, len(data), piece):
        result.feed(data[start:start + piece])
    result.feed(b"")
    return result


def test_faults(tap):
    for line in FAULTS.strip().splitlines():
        tap.equal(seen(f"before\r\n[    1.979597] {line}\r\nafter").fault,
                  line, f"line of a kernel, fault: {line}")


def test_harmless(tap):
    for line in HARMLESS.strip().splitlines():
        tap.equal(seen(f"[    1.979597] {line}\n").fault, None,
                  f"line of a kernel, no fault: {line}")


def test_system(tap):
    """If a whole system writes to the console, only lines of its kernel are faults."""
    for line in FAULTS.strip().splitlines():
        text = f"before\r\n[    1.979597] {line}\r\nafter"
        tap.equal(seen(text, of_system=True).fault, line,
                  f"console of a system, line of its kernel, fault: {line}")
    tap.equal(seen(FAULTS, of_system=True).fault, None,
              "console of a system, these lines of another program: no fault")


def test_taint(tap):
    # P, O and E: proprietary, out of tree, not signed.
    tap.equal(console.taint_faults(1 << 0 | 1 << 12 | 1 << 13), [],
              "taint flags about loaded modules: no fault")
    for bit in (1, 4, 5, 7, 9, 14):
        tap.equal(len(console.taint_faults(1 << bit | 1 << 12)), 1,
                  f"taint flag {bit}: a fault")


def test_excerpt(tap):
    lines = [f"line {number}" for number in range(1000)]
    tap.equal(seen("\n".join(lines)).excerpt(), "\n".join(lines[-200:]),
              "1000 lines without a fault: the excerpt has the last 200")
    lines[300] = "WARNING: here"
    for piece in (1, 7, 10000):
        tap.equal(seen("\n".join(lines), piece).excerpt(),
                  "\n".join(lines[280:500]),
                  f"1000 lines with a fault, in pieces of {piece}: the excerpt has the "
                  "lines around it")


def test_unfinished(tap):
    tap.equal(seen("Kernel panic - not syn").fault, "Kernel panic - not syn",
              "a fault in a last line without a newline: found")
    flood = console.Console()
    for _ in range(1000):
        flood.feed(b"x" * 100000)
    tap.ok(len(flood.excerpt()) < 400 * 100000,
           "100 MB without a newline: only a part is kept")


tap = Tap()
tap.run(test_faults, test_harmless, test_system, test_taint, test_excerpt, test_unfinished)
sys.exit(tap.done())
