// SPDX-License-Identifier: GPL-2.0
/* The sysctl variables net.bpf: settings, and sums of the counts. */
#include <linux/kernel.h>
#include <linux/sysctl.h>

#include "procfs.h"
#include "quota.h"
#include "stats.h"
#include "sysctl.h"
#include "timeout.h"

static unsigned int lower_limit = BPF_MINBUFSIZE;
static unsigned int upper_limit = BPF_MAXBUFSIZE;

static struct ctl_table_header *header;

static int read_stats(vcap_const_table *table, int write, void *buffer,
		      size_t *len, loff_t *pos)
{
	unsigned long now[VCAP_NUM_STATS];
	struct ctl_table copy = {
		.procname = table->procname,
		.data = now,
		.maxlen = sizeof(now),
		.mode = table->mode,
	};
	unsigned int i;

	vcap_procfs_sync();
	for (i = 0; i < VCAP_NUM_STATS; i++)
		now[i] = vcap_stats_get(i);
	return proc_doulongvec_minmax(&copy, write, buffer, len, pos);
}

static struct ctl_table table[] = {
	{
		.procname = "maxbufsize",
		.data = &vcap_max_buffer,
		.maxlen = sizeof(vcap_max_buffer),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = &lower_limit,
		.extra2 = &upper_limit,
	}, {
		.procname = "maxusermem",
		.data = &vcap_max_memory,
		.maxlen = sizeof(vcap_max_memory),
		.mode = 0644,
		.proc_handler = proc_doulongvec_minmax,
	}, {
		.procname = "polltimeout",
		.data = &vcap_poll_timeout,
		.maxlen = sizeof(vcap_poll_timeout),
		.mode = 0644,
		.proc_handler = proc_douintvec_minmax,
		.extra1 = SYSCTL_ZERO,
		.extra2 = SYSCTL_ONE,
	}, {
		.procname = "stats",
		.mode = 0444,
		.proc_handler = read_stats,
	},
};

/** vcap_sysctl_init() - register net.bpf */
int vcap_sysctl_init(void)
{
	header = register_sysctl_sz("net/bpf", table, ARRAY_SIZE(table));
	return header ? 0 : -ENOMEM;
}

/** vcap_sysctl_exit() - unregister net.bpf */
void vcap_sysctl_exit(void)
{
	unregister_sysctl_table(header);
}
