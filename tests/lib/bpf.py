# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs of the BSD packet filter, as lists of (code, jt, jf, k): programs compiled by
libpcap, random programs, and libpcap's results of running them.
"""
import ctypes

PCAP = ctypes.CDLL("libpcap.so.0.8")
ETHERNET = 1
NETMASK = 0xffffff00            # for "ip broadcast"
MEMWORDS, MAXINSNS = 16, 512

# Codes: loads, stores, arithmetic, jumps, others.
LD_IMM, LDX_IMM, ST = 0x00, 0x01, 0x02
LDH_ABS, LDB_ABS, JEQ, JA, RET_K, RET_A = 0x28, 0x30, 0x15, 0x05, 0x06, 0x16
ADD_K, LSH_K, RSH_K, DIV_K, MOD_K = 0x04, 0x64, 0x74, 0x34, 0x94
SCRATCH = (0x02, 0x03, 0x60, 0x61)
CODES = (0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x40, 0x48, 0x50, 0xb1, 0xb1,
         0x00, 0x01, 0x80, 0x81, *SCRATCH, *SCRATCH,
         0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54,
         0x5c, 0x64, 0x74, 0x84, 0x94, 0x9c, 0xa4, 0xac,
         0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x15, 0x25,
         0x07, 0x87, 0x06, 0x16)
EDGES = (0, 1, 2, 4, 8, 12, 14, 31, 32, 255, 256, 0x7fffffff, 0x80000000,
         0xfffffffc, 0xfffffffe, 0xffffffff)

ACCEPT = [(RET_K, 0, 0, 0xffffffff)]
REJECT = [(RET_K, 0, 0, 0)]


class Insn(ctypes.Structure):
    """struct bpf_insn"""
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8),
                ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """struct bpf_program"""
    _fields_ = [("length", ctypes.c_uint), ("insns", ctypes.POINTER(Insn))]


PCAP.pcap_open_dead.restype = ctypes.c_void_p
PCAP.pcap_geterr.restype = ctypes.c_char_p
PCAP.bpf_filter.restype = ctypes.c_uint


def compiled(expression, optimize=True):
    """Returns libpcap's program for a filter expression."""
    pcap = ctypes.c_void_p(PCAP.pcap_open_dead(ETHERNET, 262144))
    program = Program()
    if PCAP.pcap_compile(pcap, ctypes.byref(program), expression.encode(),
                         int(optimize), ctypes.c_uint(NETMASK)):
        raise ValueError(PCAP.pcap_geterr(pcap).decode())
    found = [(one.code, one.jt, one.jf, one.k)
             for one in program.insns[:program.length]]
    PCAP.pcap_freecode(ctypes.byref(program))
    PCAP.pcap_close(pcap)
    return found


def answer(program, data):
    """
    Returns the result of libpcap's bpf_filter() for a whole frame. What is undefined
    there, scratch memory and shifts by 32 and more, is as in the specification.
    """
    insns = [(ST, 0, 0, i) for i in range(MEMWORDS)]
    insns += [(LD_IMM, 0, 0, 0) if one[0] in (LSH_K, RSH_K) and one[3] >= 32
              else one for one in program]
    array = (Insn * len(insns))(*insns)
    return PCAP.bpf_filter(array, bytes(data), len(data), len(data))


def random_program(rng, most=40):
    """Returns a random valid program, whose result mostly depends on the frame."""
    length = rng.choice([1, 2, 5, 10, 20, most])
    program = []
    for after in range(length - 1, -1, -1):
        code = rng.choice(CODES) if after else rng.choice([RET_K, RET_A])
        k = rng.choice([rng.randrange(48), rng.randrange(48),
                        rng.randrange(1600), rng.choice(EDGES),
                        rng.getrandbits(32)])
        jt = jf = 0
        if code in SCRATCH:
            k %= MEMWORDS
        elif code in (DIV_K, MOD_K):
            k = k or 1
        elif code & 7 == 5 and not after - 1:
            k, code = 0, LD_IMM
        elif code == JA:
            k = rng.randrange(min(after, 9))
        elif code & 7 == 5:
            jt, jf = (rng.randrange(min(after, 6)) for _ in range(2))
        program.append((code, jt, jf, k))
    return program
