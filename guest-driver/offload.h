/* SPDX-License-Identifier: GPL-2.0 */
/* Buffer model "device": the device runs the filter and fills the buffers. */
#ifndef VCAP_OFFLOAD_H
#define VCAP_OFFLOAD_H

#include "device.h"
#include "model.h"

extern const struct vcap_model vcap_offload_model;

bool vcap_offload_possible(const struct vcap_file *file,
			   const struct vcap_dev *dev);
void vcap_offload_stop(struct vcap_dev *dev, bool all);
int vcap_offload_resend(struct vcap_dev *dev);

#endif /* VCAP_OFFLOAD_H */
