#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""DHCP clients, compiled with their code for BSD, get a lease through /dev/bpf.
SOAK=1: also ISC's dhclient ("make -C tests/clients dhclient")."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from clients import BY_LINES, CLIENTS, add_programs  # noqa: E402
from guest import vm  # noqa: E402
from lifecycle import SOAK  # noqa: E402
from tap import Tap  # noqa: E402

NETWORK = ["--netdev", "user,net=10.99.7.0/24,dhcpstart=10.99.7.42"]
ADDRESS, GATEWAY = "10.99.7.42", "10.99.7.2"

# The image's DHCP client has configured eth0 at boot, so remove the addresses first.
# While the client under test runs, its /dev/bpf descriptors and packet sockets are
# recorded. The client's hook prints the lease.
SCRIPT = BY_LINES + """
mkdir -p /var/lib/dhcpcd /var/lib/dhcp /var/db /var/run
chmod 755 hook
forget() {
    ip addr flush dev eth0
    ip route flush dev eth0
}
note() {
    grep " eth0 " /proc/net/bpf | sed 's/^[0-9]*/bpf/'
    tail -n +2 /proc/net/packet | sed 's/^/packet /'
}
watch() {
    "$@" > log 2>&1 &
    pid=$!
    tries=0
    until grep -q "^hook $reason" log || [ $tries -ge 300 ]; do
        kill -0 $pid 2> /dev/null || break
        tries=$((tries + 1))
        note
        sleep 0.1
    done
    note
}
reason=BOUND
forget
watch %(client)s
ip -4 -o addr show dev eth0
ip route show dev eth0
sed 's/^/log /' log
kill $pid 2> /dev/null
wait $pid

forget
rm /dev/bpf /dev/bpf0
reason=
%(client)s > without 2>&1 &
pid=$!
tries=0
until grep -q "%(error)s" without || [ $tries -ge 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
kill $pid 2> /dev/null
wait $pid
sed 's/^/without /' without
ip -4 -o addr show dev eth0 | sed 's/^/without /'
"""

# Run by the client at each event of the lease. dhclient needs its script to configure
# the interface; dhcpcd configures it itself.
HOOK = """#!/bin/sh
echo "hook $reason $new_ip_address $new_routers"
"""
CONFIGURING = HOOK + """
[ "$reason" != BOUND ] ||
    ip addr add "$new_ip_address/$new_subnet_mask" dev eth0
"""


def check(tap, name, folder, hook, client, error):
    """One client, in a guest of its own."""
    script = f"cat > hook << 'EOF'\n{hook}EOF\n" + \
        SCRIPT % {"client": client, "error": error}
    done = vm([*NETWORK, *add_programs(f"{CLIENTS}/{folder}/{name}")],
              ["sh", "-c", script])
    text = done.stdout
    if not tap.ok(done.returncode == 0, f"{name}: the script in the guest succeeds",
                  done.returncode, text, done.stderr):
        return
    tap.contains(text, f"log hook BOUND {ADDRESS} {GATEWAY}\n",
                 f"{name}: the hook gets the lease's address and router")
    tap.ok(re.search(rf"^\d+: eth0 +inet {ADDRESS}/24 ", text, re.M),
           f"{name}: the interface has the address", text)
    listed = [line.split()[1:] for line in text.splitlines()
              if line.startswith("bpf ")]
    tap.ok(any(int(words[4]) > 0 for words in listed),
           f"{name}: a descriptor of /dev/bpf receives packets", text)
    tap.ok("\npacket " not in text,
           f"{name}: the client opens no packet socket", text)
    tap.ok(f"without hook BOUND {ADDRESS}" not in text and
           not re.search(r"^without \d+: eth0 +inet 10\.", text, re.M),
           f"{name} without /dev/bpf: no lease", text)
    tap.ok(re.search(f"^without .*{error}", text, re.M),
           f"{name} without /dev/bpf: the client reports an error", text)


def dhcpcd(tap):
    """dhcpcd's src/bpf.c."""
    check(tap, "dhcpcd", "dhcpcd", HOOK,
          "./dhcpcd -4 -d -B -L -f /dev/null -c /root/hook eth0",
          "Packet Filter not found")


def dhclient(tap):
    """ISC's dhclient with USE_BPF."""
    check(tap, "dhclient", "dhclient", CONFIGURING,
          "./dhclient -d -sf /root/hook -cf /dev/null "
          "-lf /root/leases eth0", "No bpf devices")


TAP = Tap()
TAP.run(dhcpcd)
if SOAK:
    TAP.run(dhclient)
sys.exit(TAP.done())
