/* SPDX-License-Identifier: GPL-2.0 */
/* Buffer model "kernel": the driver fills the buffers from the shared queue. */
#ifndef VCAP_KERNEL_MODEL_H
#define VCAP_KERNEL_MODEL_H

#include "model.h"

extern const struct vcap_model vcap_kernel_model;

#endif /* VCAP_KERNEL_MODEL_H */
