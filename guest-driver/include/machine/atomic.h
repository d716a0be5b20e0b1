/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <machine/atomic.h>: of FreeBSD's atomic operations, those two that programs
 * need for zero-copy buffers; see bpf(4).
 */
#ifndef _MACHINE_ATOMIC_H_
#define _MACHINE_ATOMIC_H_

#ifdef __cplusplus
extern "C" {
#endif

/* atomic_load_acq_int - a number; what is read later was written before it */
static inline unsigned int
atomic_load_acq_int(const volatile unsigned int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* atomic_store_rel_int - a number, after all that was read and written before */
static inline void
atomic_store_rel_int(volatile unsigned int *p, unsigned int value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

#ifdef __cplusplus
}
#endif

#endif /* _MACHINE_ATOMIC_H_ */
