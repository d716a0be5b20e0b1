/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Environment of the core: fixed-size types, memcpy(), errno values, barriers
 * and byte order functions from the kernel, QEMU or the C library. All other
 * files in core/ are the same source for the driver, the device, tests and
 * fuzzers.
 */
#ifndef VCAP_SHIM_H
#define VCAP_SHIM_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
/* <linux/unaligned.h> is included by kernel-compat.h. */

#else

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>

#define __annotate_jump_table

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

/* Files of the device include "qemu/osdep.h" first, which defines likely(). */
#ifdef QEMU_OSDEP_H

#include "qemu/bswap.h"

#else

#include <endian.h>

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)

#endif /* QEMU_OSDEP_H */

#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) \
	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)
/* The kernel's load with acquire semantics. */
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
/* The kernel's store with release semantics. */
#define smp_store_release(p, value) \
	__atomic_store_n(p, value, __ATOMIC_RELEASE)

static inline u16 get_unaligned_be16(const void *p)
{
	const u8 *b = p;

	return (u16)(b[0] << 8 | b[1]);
}

static inline u32 get_unaligned_be32(const void *p)
{
	const u8 *b = p;

	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

#endif /* __KERNEL__ */

#endif /* VCAP_SHIM_H */
