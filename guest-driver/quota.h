/* SPDX-License-Identifier: GPL-2.0 */
/* Limits of each user: descriptors, and memory for their buffers. */
#ifndef VCAP_QUOTA_H
#define VCAP_QUOTA_H

#include "vcap.h"

extern unsigned int vcap_max_buffer;
extern unsigned long vcap_max_memory;

void vcap_quota_init(void);
int vcap_quota_open(struct vcap_file *file);
void vcap_quota_close(struct vcap_file *file);
int vcap_quota_charge(struct vcap_file *file);
void vcap_quota_uncharge(struct vcap_file *file);

#endif /* VCAP_QUOTA_H */
