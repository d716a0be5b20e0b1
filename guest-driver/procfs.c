// SPDX-License-Identifier: GPL-2.0
/* /proc/net/bpf: the open descriptors, one per line, for bpfstat(8). */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "interface.h"
#include "listener.h"
#include "model.h"
#include "procfs.h"

static DEFINE_MUTEX(files_lock);
static LIST_HEAD(files);		/* protected by files_lock */

/** vcap_procfs_add() - add a descriptor to the list */
void vcap_procfs_add(struct vcap_file *file)
{
	mutex_lock(&files_lock);
	list_add_tail(&file->node, &files);
	mutex_unlock(&files_lock);
}

/** vcap_procfs_del() - remove a descriptor from the list */
void vcap_procfs_del(struct vcap_file *file)
{
	mutex_lock(&files_lock);
	list_del(&file->node);
	mutex_unlock(&files_lock);
}

/**
 * vcap_procfs_sync() - make the counts of all descriptors exact
 *
 * This is needed only for those whose packets the device counts.
 */
void vcap_procfs_sync(void)
{
	struct vcap_file *file;

	mutex_lock(&files_lock);
	list_for_each_entry(file, &files, node)
		if (READ_ONCE(file->lq))
			vcap_listener_sync(file, VCAP_SYNC_COUNTS);
	mutex_unlock(&files_lock);
}

static const char *state(const struct vcap_file *file)
{
	if (!file->dev)
		return "unattached";
	if (file->desc.gone)
		return "gone";
	return file->reading ? "waiting" : "idle";
}

static const char *direction(const struct vcap_desc *desc)
{
	static const char * const names[] = {
		[BPF_D_IN] = "in",
		[BPF_D_INOUT] = "inout",
		[BPF_D_OUT] = "out",
	};

	return names[desc->direction];
}

/* Called with files_lock, which keeps the descriptor open. */
static void show_file(struct seq_file *seq, struct vcap_file *file)
{
	const struct vcap_desc *desc = &file->desc;
	char name[IFNAMSIZ] = "-";
	struct vcap_dev *dev;

	mutex_lock(&file->lock);
	dev = file->desc.gone ? NULL : file->dev;
	mutex_unlock(&file->lock);
	if (dev && vcap_interface_name(dev, file, name))
		strscpy(name, "-", sizeof(name));
	/* On failure the last known counts are shown. */
	if (file->lq)
		vcap_listener_sync(file, VCAP_SYNC_COUNTS);

	mutex_lock(&file->lock);
	seq_printf(seq, "%d %s %u %llu %llu %llu %d %d %d %d %s %s %s %s\n",
		   READ_ONCE(file->pid), name, desc->size, desc->recv,
		   desc->drop, desc->capt, desc->promisc, desc->immediate,
		   desc->header_complete, desc->direction != BPF_D_IN,
		   direction(desc), file->model->name,
		   file->lq ? "device" : vcap_program_executor(file->filter),
		   state(file));
	mutex_unlock(&file->lock);
}

static int show(struct seq_file *seq, void *unused)
{
	struct vcap_file *file;

	seq_puts(seq, "pid interface bufsize received dropped captured promisc immediate hdrcmplt seesent direction buffers filter state\n");
	mutex_lock(&files_lock);
	list_for_each_entry(file, &files, node)
		show_file(seq, file);
	mutex_unlock(&files_lock);
	return 0;
}

/** vcap_procfs_init() - create /proc/net/bpf, readable by root only */
int vcap_procfs_init(void)
{
	if (!proc_create_single("bpf", 0400, init_net.proc_net, show))
		return -ENOMEM;
	return 0;
}

/** vcap_procfs_exit() - remove /proc/net/bpf */
void vcap_procfs_exit(void)
{
	remove_proc_entry("bpf", init_net.proc_net);
}
