/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <machine/atomic.h>: the two of FreeBSD's atomic operations that programs need
 * for zero-copy buffers; see bpf(4).
 */
#ifndef _MACHINE_ATOMIC_H_
#define _MACHINE_ATOMIC_H_

#ifdef __cplusplus
extern "C" {
#endif

/* atomic_load_acq_int - load with acquire semantics */
static inline unsigned int
atomic_load_acq_int(const volatile unsigned int *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* atomic_store_rel_int - store with release semantics */
static inline void
atomic_store_rel_int(volatile unsigned int *p, unsigned int value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

#ifdef __cplusplus
}
#endif

#endif /* _MACHINE_ATOMIC_H_ */
