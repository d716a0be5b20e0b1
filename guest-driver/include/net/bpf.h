/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <net/bpf.h>: the interface of /dev/bpf, for programs and for the driver.
 *
 * Names, structures and behaviour are those of the BSDs. The ioctl numbers are
 * NetBSD's; requests that only FreeBSD has use free numbers. See bpf(4).
 *
 * It may be included before or after <pcap.h> and <linux/filter.h>. It cannot
 * be included with <linux/bpf.h> (eBPF), which has another struct bpf_insn.
 * Programs that use BIOCGETIF or BIOCSETIF also include <net/if.h>.
 */
#ifndef _NET_BPF_H_
#define _NET_BPF_H_

#ifdef __KERNEL__
#include <linux/ioctl.h>
#include <linux/types.h>

struct bpf_timeval {
	long tv_sec;
	long tv_usec;
};
#else
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <stdint.h>
#include <time.h>

#define bpf_timeval timeval
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BPF_RELEASE		199606

/* Filter language version, see BIOCVERSION. */
#define BPF_MAJOR_VERSION 1
#define BPF_MINOR_VERSION 1

/* Limits of a filter program. Linux has a larger BPF_MAXINSNS. */
#undef BPF_MAXINSNS
#define BPF_MAXINSNS		512
#ifndef BPF_MEMWORDS
#define BPF_MEMWORDS 16
#endif

/* Alignment of packets in a buffer, bytes. */
#undef BPF_ALIGNMENT
#define BPF_ALIGNMENT		sizeof(long)
#undef BPF_WORDALIGN
#define BPF_WORDALIGN(x)	(((x) + (BPF_ALIGNMENT - 1)) & ~(BPF_ALIGNMENT - 1))

/* Smallest, default and largest buffer size, bytes; see BIOCSBLEN in bpf(4). */
#define BPF_MINBUFSIZE		32
#define BPF_DFLTBUFSIZE		32768
#define BPF_MAXBUFSIZE		(16 * 1024 * 1024)

#ifndef lib_pcap_bpf_h		/* <pcap/bpf.h> defines the same */

typedef int32_t bpf_int32;
typedef uint32_t bpf_u_int32;
typedef int64_t bpf_int64;
typedef uint64_t bpf_u_int64;

/**
 * struct bpf_insn - an instruction of a filter program
 * @code: class, size, mode, operation and source, BPF_*
 * @jt: number of instructions to skip if the condition of a jump is true
 * @jf: number of instructions to skip if the condition of a jump is false
 * @k: generic operand
 */
struct bpf_insn {
	uint16_t code;
	uint8_t jt;
	uint8_t jf;
	bpf_u_int32 k;
};

/**
 * struct bpf_program - argument of BIOCSETF, BIOCSETFNR and BIOCSETWF
 * @bf_len: number of instructions, at most BPF_MAXINSNS; 0 removes the filter
 * @bf_insns: the instructions
 */
struct bpf_program {
	unsigned int bf_len;
	struct bpf_insn *bf_insns;
};

#include <net/dlt.h>

#endif /* lib_pcap_bpf_h */

/**
 * struct bpf_stat - argument of BIOCGSTATS
 * @bs_recv: packets that were run through the filter
 * @bs_drop: accepted packets dropped for lack of buffer space, and all packets
 *           dropped by the capture device
 * @bs_capt: packets that the filter accepted
 * @bs_padding: zero
 */
struct bpf_stat {
	uint64_t bs_recv;
	uint64_t bs_drop;
	uint64_t bs_capt;
	uint64_t bs_padding[13];
};

/**
 * struct bpf_version - argument of BIOCVERSION
 * @bv_major: BPF_MAJOR_VERSION
 * @bv_minor: BPF_MINOR_VERSION
 */
struct bpf_version {
	uint16_t bv_major;
	uint16_t bv_minor;
};

/**
 * struct bpf_dltlist - argument of BIOCGDLTLIST
 * @bfl_len: in: capacity of the list; out: number of link types
 * @bfl_list: the list; NULL: return the number only
 */
struct bpf_dltlist {
	unsigned int bfl_len;
	unsigned int *bfl_list;
};

/**
 * struct bpf_hdr - header of each packet in a buffer
 * @bh_tstamp: time when the packet crossed the tap, CLOCK_REALTIME
 * @bh_caplen: captured length, bytes
 * @bh_datalen: length on the wire, bytes
 * @bh_hdrlen: offset from this header to the packet, bytes
 *
 * The next header is at offset BPF_WORDALIGN(bh_hdrlen + bh_caplen).
 */
struct bpf_hdr {
	struct bpf_timeval bh_tstamp;
	uint32_t bh_caplen;
	uint32_t bh_datalen;
	uint16_t bh_hdrlen;
};

/**
 * struct bpf_ts - a timestamp in the format set by BIOCSTSTAMP
 * @bt_sec: seconds
 * @bt_frac: microseconds, nanoseconds, or 2^-64 seconds
 */
struct bpf_ts {
	int64_t bt_sec;
	uint64_t bt_frac;
};

/**
 * struct bpf_xhdr - replaces struct bpf_hdr for formats set by BIOCSTSTAMP
 * @bh_tstamp: timestamp in that format
 * @bh_caplen: as in struct bpf_hdr
 * @bh_datalen: as in struct bpf_hdr
 * @bh_hdrlen: as in struct bpf_hdr
 */
struct bpf_xhdr {
	struct bpf_ts bh_tstamp;
	uint32_t bh_caplen;
	uint32_t bh_datalen;
	uint16_t bh_hdrlen;
};

/**
 * struct bpf_zbuf - argument of BIOCSETZBUF and BIOCROTZBUF
 * @bz_bufa: the buffer that is filled first; BIOCROTZBUF: the buffer to read
 * @bz_bufb: the other buffer
 * @bz_buflen: size of each, bytes; BIOCROTZBUF: bytes to read after the header
 */
struct bpf_zbuf {
	void *bz_bufa;
	void *bz_bufb;
	size_t bz_buflen;
};

/**
 * struct bpf_zbuf_header - start of each zero-copy buffer (BIOCSETZBUF)
 * @bzh_kernel_gen: generation number; the kernel increments it to assign the
 *                  buffer to the program
 * @bzh_kernel_len: bytes of packets that follow the header
 * @bzh_user_gen: the program sets it to @bzh_kernel_gen to return the buffer;
 *                while they differ, the program owns the buffer
 * @_bzh_pad: zeros
 *
 * Memory accesses must be ordered as described in bpf(4).
 */
struct bpf_zbuf_header {
	volatile unsigned int bzh_kernel_gen;
	volatile unsigned int bzh_kernel_len;
	volatile unsigned int bzh_user_gen;
	unsigned int _bzh_pad[5];
};

/* Requests, with the types of their arguments; bpf(4) documents the errors. */
#define BIOCGBLEN	_IOR('B', 102, unsigned int)
#define BIOCSBLEN	_IOWR('B', 102, unsigned int)
#define BIOCSETF	_IOW('B', 103, struct bpf_program)
#define BIOCFLUSH	_IO('B', 104)
#define BIOCPROMISC	_IO('B', 105)
#define BIOCGDLT	_IOR('B', 106, unsigned int)
#define BIOCGETIF	_IOR('B', 107, struct ifreq)
#define BIOCSETIF	_IOW('B', 108, struct ifreq)
#define BIOCGSTATS	_IOR('B', 111, struct bpf_stat)
#define BIOCIMMEDIATE	_IOW('B', 112, unsigned int)
#define BIOCVERSION	_IOR('B', 113, struct bpf_version)
#define BIOCGHDRCMPLT	_IOR('B', 116, unsigned int)
#define BIOCSHDRCMPLT	_IOW('B', 117, unsigned int)
#define BIOCSDLT	_IOW('B', 118, unsigned int)
#define BIOCGDLTLIST	_IOWR('B', 119, struct bpf_dltlist)
#define BIOCGSEESENT	_IOR('B', 120, unsigned int)
#define BIOCSSEESENT	_IOW('B', 121, unsigned int)
#define BIOCSRTIMEOUT	_IOW('B', 122, struct bpf_timeval)
#define BIOCGRTIMEOUT	_IOR('B', 123, struct bpf_timeval)
#define BIOCGFEEDBACK	_IOR('B', 124, unsigned int)
#define BIOCSFEEDBACK	_IOW('B', 125, unsigned int)
#define BIOCLOCK	_IO('B', 126)
#define BIOCSETWF	_IOW('B', 127, struct bpf_program)
#define BIOCGDIRECTION	_IOR('B', 128, unsigned int)
#define BIOCSDIRECTION	_IOW('B', 129, unsigned int)
#define BIOCSETFNR	_IOW('B', 130, struct bpf_program)
#define BIOCGTSTAMP	_IOR('B', 131, unsigned int)
#define BIOCSTSTAMP	_IOW('B', 132, unsigned int)

/* FreeBSD's numbers; NetBSD has other requests with them, with other types. */
#define BIOCGETBUFMODE	_IOR('B', 125, unsigned int)
#define BIOCSETBUFMODE	_IOW('B', 126, unsigned int)
#define BIOCGETZMAX	_IOR('B', 127, size_t)
#define BIOCROTZBUF	_IOR('B', 128, struct bpf_zbuf)
#define BIOCSETZBUF	_IOW('B', 129, struct bpf_zbuf)

/* Another name, used by FreeBSD and OpenBSD. */
#define BIOCFEEDBACK	BIOCSFEEDBACK

/* BIOCSETBUFMODE: memory of the buffers. */
#define BPF_BUFMODE_BUFFER	1	/* kernel memory; the default */
#define BPF_BUFMODE_ZBUF	2	/* memory of the program */

/* BIOCSDIRECTION: direction of captured packets, as seen from the guest. */
#define BPF_D_IN	0	/* received */
#define BPF_D_INOUT	1	/* both; the default */
#define BPF_D_OUT	2	/* sent */

/* BIOCSTSTAMP: format of timestamps, and with it the header of packets. */
#define BPF_T_MICROTIME	0x0000	/* struct bpf_hdr; the default */
#define BPF_T_NANOTIME	0x0001	/* struct bpf_xhdr, nanoseconds */
#define BPF_T_BINTIME	0x0002	/* struct bpf_xhdr, 2^-64 seconds */

/* Instruction classes. */
#define BPF_CLASS(code) ((code) & 0x07)
#define		BPF_LD		0x00
#define		BPF_LDX		0x01
#define		BPF_ST		0x02
#define		BPF_STX		0x03
#define		BPF_ALU		0x04
#define		BPF_JMP		0x05
#define		BPF_RET		0x06
#define		BPF_MISC	0x07

/* Loads: size and mode. */
#define BPF_SIZE(code)  ((code) & 0x18)
#define		BPF_W		0x00
#define		BPF_H		0x08
#define		BPF_B		0x10
#define BPF_MODE(code)  ((code) & 0xe0)
#define		BPF_IMM		0x00
#define		BPF_ABS		0x20
#define		BPF_IND		0x40
#define		BPF_MEM		0x60
#define		BPF_LEN		0x80
#define		BPF_MSH		0xa0

/* Arithmetic and jumps: operation and source. */
#define BPF_OP(code)    ((code) & 0xf0)
#define		BPF_ADD		0x00
#define		BPF_SUB		0x10
#define		BPF_MUL		0x20
#define		BPF_DIV		0x30
#define		BPF_OR		0x40
#define		BPF_AND		0x50
#define		BPF_LSH		0x60
#define		BPF_RSH		0x70
#define		BPF_NEG		0x80
#define		BPF_MOD		0x90
#define		BPF_XOR		0xa0
#define		BPF_JA		0x00
#define		BPF_JEQ		0x10
#define		BPF_JGT		0x20
#define		BPF_JGE		0x30
#define		BPF_JSET        0x40
#define BPF_SRC(code)   ((code) & 0x08)
#define		BPF_K		0x00
#define		BPF_X		0x08

/* Returns and miscellaneous. */
#define BPF_RVAL(code)  ((code) & 0x18)
#define		BPF_A		0x10
#define BPF_MISCOP(code) ((code) & 0xf8)
#define		BPF_TAX		0x00
#define		BPF_TXA		0x80

/* Initialisers of struct bpf_insn. */
#ifndef BPF_STMT
#define BPF_STMT(code, k) { (unsigned short)(code), 0, 0, k }
#endif
#ifndef BPF_JUMP
#define BPF_JUMP(code, k, jt, jf) { (unsigned short)(code), jt, jf, k }
#endif

#ifndef __KERNEL__
#ifndef _SYS_BINTIME_T_
#define _SYS_BINTIME_T_

/* struct bintime - a time with a binary fraction, for BPF_T_BINTIME */
struct bintime {
	time_t sec;
	uint64_t frac;		/* 2^-64 seconds */
};

#if defined(_DEFAULT_SOURCE) || \
	(defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 199309L)
/* bintime2timespec - convert to nanoseconds, rounded down */
static inline void bintime2timespec(const struct bintime *bt,
				    struct timespec *ts)
{
	ts->tv_sec = bt->sec;
	ts->tv_nsec = ((uint64_t)1000000000 * (uint32_t)(bt->frac >> 32)) >> 32;
}
#endif

/* bintime2timeval - convert to microseconds, rounded down */
static inline void bintime2timeval(const struct bintime *bt,
				   struct timeval *tv)
{
	tv->tv_sec = bt->sec;
	tv->tv_usec = ((uint64_t)1000000 * (uint32_t)(bt->frac >> 32)) >> 32;
}

#endif /* _SYS_BINTIME_T_ */
#endif /* __KERNEL__ */

#ifdef __cplusplus
}
#endif

#endif /* _NET_BPF_H_ */
