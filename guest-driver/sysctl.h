/* SPDX-License-Identifier: GPL-2.0 */
/* The sysctl variables net.bpf: settings, and sums of the counts. */
#ifndef VCAP_SYSCTL_H
#define VCAP_SYSCTL_H

int vcap_sysctl_init(void);
void vcap_sysctl_exit(void);

#endif /* VCAP_SYSCTL_H */
