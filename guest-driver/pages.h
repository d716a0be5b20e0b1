/* SPDX-License-Identifier: GPL-2.0 */
/* Pinned memory of a program, for the kernel and the device to write to. */
#ifndef VCAP_PAGES_H
#define VCAP_PAGES_H

#include <linux/mm_types.h>
#include <linux/refcount.h>

/**
 * struct vcap_pages - pinned memory of a program
 * @refs: number of users that may write to it; unpinned with the last one
 * @start: its address in the program when it was pinned
 * @num: number of pages
 * @pages: the pages
 * @map: contiguous mapping in the kernel
 * @mm: the address space that is charged for them
 */
struct vcap_pages {
	refcount_t refs;
	unsigned long start;
	unsigned long num;
	struct page **pages;
	void *map;
	struct mm_struct *mm;
};

struct vcap_pages *vcap_pages_pin(unsigned long start, size_t len);
struct vcap_pages *vcap_pages_get(struct vcap_pages *pages);
void vcap_pages_put(struct vcap_pages *pages);
int vcap_pages_distinct(const struct vcap_pages *a, const struct vcap_pages *b);

#endif /* VCAP_PAGES_H */
