/* SPDX-License-Identifier: GPL-2.0 */
/* Changes of a descriptor's settings that affect the device. */
#ifndef VCAP_SETUP_H
#define VCAP_SETUP_H

#include "vcap.h"

void vcap_setup_current(struct vcap_file *file, struct vcap_change *next);
int vcap_setup_prepare(struct vcap_file *file, const struct vcap_change *next);
void vcap_setup_finish(struct vcap_file *file);
int vcap_setup_attach(struct vcap_file *file, const char *name);
void vcap_setup_detach(struct vcap_file *file);
int vcap_setup_filter(struct vcap_file *file, struct vcap_program *filter,
		      bool flush);

#endif /* VCAP_SETUP_H */
