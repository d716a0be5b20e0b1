/* SPDX-License-Identifier: GPL-2.0 */
/* The read timeout while no read is pending. */
#ifndef VCAP_TIMEOUT_H
#define VCAP_TIMEOUT_H

#include "vcap.h"

extern unsigned int vcap_poll_timeout;

void vcap_timeout_init(struct vcap_file *file);
void vcap_timeout_stop(struct vcap_file *file);
void vcap_timeout_poll(struct vcap_file *file);
void vcap_timeout_cancel(struct vcap_file *file);
void vcap_timeout_begin_read(struct vcap_file *file);
void vcap_timeout_interrupt_read(struct vcap_file *file, ktime_t deadline);
void vcap_timeout_end_read(struct vcap_file *file);

#endif /* VCAP_TIMEOUT_H */
