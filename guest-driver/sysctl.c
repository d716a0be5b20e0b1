// SPDX-License-Identifier: GPL-2.0
/* net.bpf: settings, and the counts of all descriptors together. */
#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/sysctl.h>

#include "vcap.h"

/* Largest buffer that BIOCSBLEN gives, bytes; within the limits below. */
unsigned int vcap_max_buffer = 4194304;

/* Whether the read timeout also ends waiting in poll. */
unsigned int vcap_poll_timeout = 1;

static unsigned int lower_limit = BPF_MINBUFSIZE;
static unsigned int upper_limit = BPF_MAXBUFSIZE;

/* Received, dropped, captured by all descriptors since the module was loaded. */
static atomic64_t totals[3];

static struct ctl_table_header *header;

/** vcap_stats_add() - count packets in net.bpf.stats */
void vcap_stats_add(u64 recv, u64 drop, u64 capt)
{
	atomic64_add(recv, &totals[0]);
	atomic64_add(drop, &totals[1]);
	atomic64_add(capt, &totals[2]);
}

static int read_stats(struct ctl_table *table, int write, void *buffer,
		      size_t *len, loff_t *pos)
{
	unsigned long now[ARRAY_SIZE(totals)];
	struct ctl_table copy = {
		.procname = table->procname,
		.data = now,
		.maxlen = sizeof(now),
		.mode = table->mode,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(totals); i++)
		now[i] = atomic64_read(&totals[i]);
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
	{ }
};

/** vcap_sysctl_init() - add net.bpf */
int vcap_sysctl_init(void)
{
	header = register_sysctl("net/bpf", table);
	return header ? 0 : -ENOMEM;
}

/** vcap_sysctl_exit() - remove net.bpf */
void vcap_sysctl_exit(void)
{
	unregister_sysctl_table(header);
}
