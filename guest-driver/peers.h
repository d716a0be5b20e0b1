/* SPDX-License-Identifier: GPL-2.0 */
/* /proc/net/bpf: the open descriptors. */
#ifndef VCAP_PEERS_H
#define VCAP_PEERS_H

#include "vcap.h"

int vcap_peers_init(void);
void vcap_peers_exit(void);
void vcap_peers_add(struct vcap_file *file);
void vcap_peers_del(struct vcap_file *file);
void vcap_peers_sync(void);

#endif /* VCAP_PEERS_H */
