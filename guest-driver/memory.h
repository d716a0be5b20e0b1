/* SPDX-License-Identifier: GPL-2.0 */
/* The memory of a buffer that the device fills. */
#ifndef VCAP_MEMORY_H
#define VCAP_MEMORY_H

#include <linux/scatterlist.h>

/**
 * struct vcap_memory - memory of a buffer
 * @data: contiguous mapping in the kernel; NULL: none
 * @table: scatterlist for the device, with as few entries as possible
 * @foreign: the pages are owned by other code, which frees them
 */
struct vcap_memory {
	void *data;
	struct sg_table table;
	bool foreign;
};

int vcap_memory_alloc(struct vcap_memory *memory, unsigned int size);
int vcap_memory_map(struct vcap_memory *memory, void *data, unsigned int size);
void vcap_memory_free(struct vcap_memory *memory);

#endif /* VCAP_MEMORY_H */
