/* SPDX-License-Identifier: GPL-2.0 */
/* What users may have: descriptors, and memory for their buffers. */
#ifndef VCAP_LIMITS_H
#define VCAP_LIMITS_H

#include "vcap.h"

extern unsigned int vcap_max_buffer;
extern unsigned long vcap_max_memory;

void vcap_limits_init(void);
int vcap_limits_open(struct vcap_file *file);
void vcap_limits_close(struct vcap_file *file);
int vcap_limits_charge(struct vcap_file *file);
void vcap_limits_uncharge(struct vcap_file *file);

#endif /* VCAP_LIMITS_H */
