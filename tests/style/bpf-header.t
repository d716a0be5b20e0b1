#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The user headers compile alone and with other headers in any order."""
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import headers  # noqa: E402
import tree  # noqa: E402

FOLDER = "guest-driver/include/"
NEIGHBOURS = ("pcap.h", "linux/filter.h", "net/if.h")

# Uses of <net/bpf.h> that must compile with any other headers.
USE = """
static const struct bpf_insn all = BPF_STMT(BPF_RET | BPF_K, 262144);
static const struct bpf_insn jump = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 2, 3);
typedef char hdr_is_32[sizeof(struct bpf_hdr) == 32 ? 1 : -1];
typedef char hdrlen_is_2[sizeof(((struct bpf_hdr *)0)->bh_hdrlen) == 2 ? 1 : -1];
typedef char insn_is_8[sizeof(struct bpf_insn) == 8 ? 1 : -1];
typedef char align_is_8[BPF_WORDALIGN(1) == 8 ? 1 : -1];
typedef char most_is_512[BPF_MAXINSNS == 512 ? 1 : -1];
unsigned long used(struct bpf_program *program, const struct bpf_hdr *hdr);
unsigned long used(struct bpf_program *program, const struct bpf_hdr *hdr)
{
    program->bf_insns[0] = all;
    program->bf_insns[1] = jump;
    program->bf_len = 2 + DLT_EN10MB;
    return BIOCSETF + BIOCGBLEN + (unsigned long)hdr->bh_tstamp.tv_sec;
}
"""


def jobs():
    """Each header alone; <net/bpf.h> and its neighbours in each order."""
    ours = ("-I", FOLDER)
    # <pcap.h> uses u_int, which strict C99 hides.
    loose = (*ours, "-D_DEFAULT_SOURCE")
    names = [name[len(FOLDER):] for name in tree.files()
             if name.startswith(FOLDER) and name.endswith(".h")]
    for language in headers.LANGUAGES:
        for name in names:
            yield (f"{FOLDER}{name}:1: compiles alone", language,
                   headers.including([name]), *ours)
        yield (f"{FOLDER}net/bpf.h:1: a program that uses it compiles", language,
               headers.including(["net/bpf.h"], USE), *ours)
        for order in orders():
            yield (f"{FOLDER}net/bpf.h:1: compiles in {' '.join(order)}", language,
                   headers.including(order, USE), *loose)


def orders():
    """Orders of <net/bpf.h> and each neighbour, and of all of them."""
    for name in NEIGHBOURS:
        yield from itertools.permutations(["net/bpf.h", name])
    yield from itertools.permutations(["net/bpf.h", *NEIGHBOURS])


def check(tap):
    """All orders in all languages."""
    headers.compile_all(tap, jobs())


tree.main(check)
