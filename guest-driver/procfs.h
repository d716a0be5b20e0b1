/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/bpf: the open descriptors. */
#ifndef VCAP_PROCFS_H
#define VCAP_PROCFS_H

#include "vcap.h"

int vcap_procfs_init(void);
void vcap_procfs_exit(void);
void vcap_procfs_add(struct vcap_file *file);
void vcap_procfs_del(struct vcap_file *file);
void vcap_procfs_sync(void);

#endif /* VCAP_PROCFS_H */
