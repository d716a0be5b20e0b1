/* SPDX-License-Identifier: GPL-2.0 */
/* What the device is told for a listener with a queue of its own. */
#ifndef VCAP_TELL_H
#define VCAP_TELL_H

#include "device.h"

void vcap_tell_count(struct vcap_file *file, const struct vcap_counts *counts);
void vcap_tell_hold(struct vcap_file *file);
int vcap_tell_begin(struct vcap_file *file, struct vcap_dev *dev,
		    const struct vcap_program *filter,
		    struct vcap_counts *counts);
void vcap_tell_stop(struct vcap_file *file, struct vcap_dev *dev);
int vcap_tell_change(struct vcap_file *file, const struct vcap_change *next);
int vcap_tell_wish(struct vcap_file *file);

#endif /* VCAP_TELL_H */
