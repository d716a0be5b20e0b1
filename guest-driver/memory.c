// SPDX-License-Identifier: GPL-2.0
/*
 * The memory of a buffer that the device fills.
 *
 * Each entry of a buffer's scatterlist is a descriptor of the virtqueue, which
 * costs time whenever the buffer is made available. So allocate contiguous
 * pages, as long as the page allocator has them without compaction.
 */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "memory.h"

/* The largest page order that is available on every architecture. */
#define MAX_RUN_ORDER	8

/* Charged to the current process; fail rather than invoke the OOM killer. */
#define PAGE_GFP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN)

/* Allocate up to @count contiguous pages; return their number. */
static unsigned int alloc_run(struct page **pages, unsigned int count)
{
	unsigned int order = min_t(unsigned int, ilog2(count), MAX_RUN_ORDER);
	struct page *page = NULL;
	unsigned int i;

		/* Higher orders only if they are available without reclaim. */
	for (; !page && order; order -= !page)
		page = alloc_pages((PAGE_GFP & ~__GFP_DIRECT_RECLAIM) |
				   __GFP_NORETRY, order);
	if (page)
		split_page(page, order);
	else
		page = alloc_page(PAGE_GFP | __GFP_RETRY_MAYFAIL);
	if (!page)
		return 0;
	for (i = 0; i < 1U << order; i++)
		pages[i] = page + i;
	return i;
}

static int alloc_pages_of(struct page **pages, unsigned int count)
{
	unsigned int done = 0, run;

	while (done < count) {
		run = alloc_run(pages + done, count - done);
		if (!run) {
			while (done)
				__free_page(pages[--done]);
			return -ENOMEM;
		}
		done += run;
	}
	return 0;
}

/**
 * vcap_memory_alloc() - allocate a buffer, charged to the current process
 * @memory: the buffer; vcap_memory_free() may also be called after an error
 * @size: size of the buffer, bytes
 *
 * Return: 0 or -ENOMEM.
 */
int vcap_memory_alloc(struct vcap_memory *memory, unsigned int size)
{
	unsigned int count = DIV_ROUND_UP(size, PAGE_SIZE);
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);

	if (!pages)
		return -ENOMEM;
	if (alloc_pages_of(pages, count)) {
		kvfree(pages);
		return -ENOMEM;
	}
	/* On success the mapping owns the pages and the array. */
	memory->data = vmap(pages, count, VM_MAP_PUT_PAGES, PAGE_KERNEL);
	if (!memory->data) {
		while (count)
			__free_page(pages[--count]);
		kvfree(pages);
		return -ENOMEM;
	}
	return sg_alloc_table_from_pages(&memory->table, pages, count, 0, size,
					 GFP_KERNEL);
}

/**
 * vcap_memory_map() - set up a buffer in existing memory
 * @memory: the buffer; vcap_memory_free() may also be called after an error
 * @data: its address in a mapping made by vmap()
 * @size: size of the buffer, bytes
 *
 * Return: 0 or -ENOMEM.
 */
int vcap_memory_map(struct vcap_memory *memory, void *data, unsigned int size)
{
	unsigned int off = offset_in_page(data), i;
	unsigned int count = DIV_ROUND_UP(off + size, PAGE_SIZE);
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	int err;

	memory->data = data;
	memory->foreign = true;
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		pages[i] = vmalloc_to_page(data - off + i * PAGE_SIZE);
	err = sg_alloc_table_from_pages(&memory->table, pages, count, off, size,
					GFP_KERNEL);
	kvfree(pages);
	return err;
}

/** vcap_memory_free() - free a buffer that the device does not have */
void vcap_memory_free(struct vcap_memory *memory)
{
	sg_free_table(&memory->table);
	if (!memory->foreign)
		vfree(memory->data);
	memory->data = NULL;
}
