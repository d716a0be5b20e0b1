/* SPDX-License-Identifier: GPL-2.0 */
/* A program's own memory, pinned, so that others can write to it. */
#ifndef VCAP_PAGES_H
#define VCAP_PAGES_H

#include <linux/mm_types.h>
#include <linux/refcount.h>

/**
 * struct vcap_pages - some memory of a program's
 * @refs: who writes to it, or will; it is unpinned when nobody does any more
 * @start: where the program had it when it was pinned
 * @num: how many pages
 * @pages: the pages, pinned
 * @map: where the kernel has them, one behind the other
 * @mm: whose memory is charged for them
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
