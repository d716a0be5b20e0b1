// SPDX-License-Identifier: GPL-2.0
/*
 * Pinned memory of a program, for the kernel and the device to write to.
 *
 * From vcap_pages_pin() to the last vcap_pages_put() the pages are not reused,
 * whatever the program does: it may unmap them, fork, execute another program
 * or exit. It may then no longer see what is written, but nobody else sees it
 * either.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "pages.h"

/*
 * Accept only pages not backed by a file system: anonymous memory, tmpfs,
 * memfd, huge pages. A file system must be told before its pages are modified,
 * which a long-term pin cannot do.
 */
static bool is_memory(struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_anon(folio) || folio_test_swapbacked(folio) ||
	       PageHuge(page);
}

static void unpin(struct vcap_pages *pages, unsigned long num, bool dirty)
{
	unpin_user_pages_dirty_lock(pages->pages, num, dirty);
}

/* Pin all pages or none: -EFAULT if they are not writable memory. */
static int pin(struct vcap_pages *pages)
{
	unsigned long i;
	int num;

	num = pin_user_pages_fast(pages->start, pages->num,
				  FOLL_WRITE | FOLL_LONGTERM, pages->pages);
	if (num < 0)
		return num == -ENOMEM ? -ENOMEM : -EFAULT;
	for (i = 0; i < num; i++)
		if (!is_memory(pages->pages[i]))
			break;
	if (i == pages->num)
		return 0;
	unpin(pages, num, false);
	return -EFAULT;
}

/* Charge for the pages, pin them, and map them in the kernel. */
static int get_memory(struct vcap_pages *pages)
{
	int err;

	if (account_locked_vm(pages->mm, pages->num, true))
		return -ENOMEM;
	err = pin(pages);
	if (err)
		goto unaccount;
	pages->map = vmap(pages->pages, pages->num, VM_MAP, PAGE_KERNEL);
	if (!pages->map) {
		err = -ENOMEM;
		goto unpin;
	}
	return 0;

unpin:
	unpin(pages, pages->num, false);
unaccount:
	account_locked_vm(pages->mm, pages->num, false);
	return err;
}

static void destroy(struct vcap_pages *pages)
{
	kvfree(pages->pages);
	kfree(pages);
}

/**
 * vcap_pages_pin() - pin memory of the current process
 * @start: its address, a multiple of the page size
 * @len: its length, a multiple of the page size, not 0
 *
 * It is charged as locked memory (RLIMIT_MEMLOCK).
 *
 * Return: the pages, with a reference; -EFAULT if it is not all writable memory
 * of the process or is a mapped file; -ENOMEM if the limit of locked memory is
 * reached or there is no memory.
 */
struct vcap_pages *vcap_pages_pin(unsigned long start, size_t len)
{
	struct vcap_pages *pages = kzalloc(sizeof(*pages), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!pages)
		return ERR_PTR(-ENOMEM);
	refcount_set(&pages->refs, 1);
	pages->start = start;
	pages->num = len >> PAGE_SHIFT;
	pages->mm = current->mm;
	pages->pages = kvmalloc_array(pages->num, sizeof(*pages->pages),
				      GFP_KERNEL_ACCOUNT);
	if (pages->pages)
		err = get_memory(pages);
	if (err) {
		destroy(pages);
		return ERR_PTR(err);
	}
	mmgrab(pages->mm);
	return pages;
}

/** vcap_pages_get() - add a reference */
struct vcap_pages *vcap_pages_get(struct vcap_pages *pages)
{
	refcount_inc(&pages->refs);
	return pages;
}

/** vcap_pages_put() - drop a reference; the last one unpins the pages */
void vcap_pages_put(struct vcap_pages *pages)
{
	if (!refcount_dec_and_test(&pages->refs))
		return;
	vunmap(pages->map);
	unpin(pages, pages->num, true);
	account_locked_vm(pages->mm, pages->num, false);
	mmdrop(pages->mm);
	destroy(pages);
}

static int compare(const void *a, const void *b)
{
	const struct page *x = *(struct page **)a, *y = *(struct page **)b;

	return x < y ? -1 : x > y;
}

/**
 * vcap_pages_distinct() - check that two pieces of memory share no page
 * @a: first piece
 * @b: second piece
 *
 * A program may have mapped the same page at several addresses.
 *
 * Return: 0, -EINVAL if a page occurs twice, or -ENOMEM.
 */
int vcap_pages_distinct(const struct vcap_pages *a, const struct vcap_pages *b)
{
	unsigned long num = a->num + b->num, i;
	struct page **all;
	int err = 0;

	all = kvmalloc_array(num, sizeof(*all), GFP_KERNEL_ACCOUNT);
	if (!all)
		return -ENOMEM;
	memcpy(all, a->pages, a->num * sizeof(*all));
	memcpy(all + a->num, b->pages, b->num * sizeof(*all));
	sort(all, num, sizeof(*all), compare, NULL);
	for (i = 1; i < num; i++)
		if (all[i] == all[i - 1])
			err = -EINVAL;
	kvfree(all);
	return err;
}
