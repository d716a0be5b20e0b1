/* SPDX-License-Identifier: GPL-2.0 */
/* Buffer model "zerocopy": the buffers are memory of the program. */
#ifndef VCAP_ZEROCOPY_H
#define VCAP_ZEROCOPY_H

#include "model.h"
#include "pages.h"
#include "zbuf.h"

extern const struct vcap_model vcap_zerocopy_model;

/** vcap_zerocopy_packets() - return where packets start in a buffer */
static inline void *vcap_zerocopy_packets(const struct vcap_pages *pages)
{
	return pages->map + VCAP_ZBUF_HDRLEN;
}

size_t vcap_zerocopy_max(void);
int vcap_zerocopy_set(struct vcap_file *file, const struct bpf_zbuf *zbuf);
void vcap_zerocopy_free(struct vcap_file *file);
void vcap_zerocopy_set_base(struct vcap_file *file,
			    const struct vcap_model *base);
void vcap_zerocopy_event(struct vcap_file *file);
int vcap_zerocopy_rotate(struct vcap_file *file, struct bpf_zbuf *zbuf);

#endif /* VCAP_ZEROCOPY_H */
