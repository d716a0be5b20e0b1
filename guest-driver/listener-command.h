/* SPDX-License-Identifier: GPL-2.0 */
/* Commands for a single listener, on its listener queue. */
#ifndef VCAP_LISTENER_COMMAND_H
#define VCAP_LISTENER_COMMAND_H

#include "device.h"

void vcap_lq_update_counts(struct vcap_file *file,
			   const struct vcap_counts *counts);
void vcap_lq_update_hold(struct vcap_file *file);
int vcap_lq_begin_capture(struct vcap_file *file, struct vcap_dev *dev,
			  const struct vcap_program *filter,
			  struct vcap_counts *counts);
void vcap_lq_end_capture(struct vcap_file *file, struct vcap_dev *dev);
int vcap_lq_change(struct vcap_file *file, const struct vcap_change *next);
int vcap_lq_update(struct vcap_file *file);

#endif /* VCAP_LISTENER_COMMAND_H */
