// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disables fault injection while the kernel creates an interrupt's files in
 * /proc/irq. A kernel bug: it ignores a failure there, and warns when it
 * removes the files that do not exist.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched.h>

/* The value of current->fail_nth. */
struct saved {
	unsigned int fail_nth;
};

static int enter(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct saved *saved = (struct saved *)instance->data;

	saved->fail_nth = current->fail_nth;
	current->fail_nth = 0;
	return 0;
}

static int leave(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	current->fail_nth = ((struct saved *)instance->data)->fail_nth;
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "register_irq_proc",
	.entry_handler = enter,
	.handler = leave,
	.data_size = sizeof(struct saved),
	.maxactive = 16,
};

static int __init nofail_init(void)
{
	return register_kretprobe(&probe);
}

static void __exit nofail_exit(void)
{
	unregister_kretprobe(&probe);
}

module_init(nofail_init);
module_exit(nofail_exit);

MODULE_DESCRIPTION("Disables fault injection in register_irq_proc()");
MODULE_LICENSE("GPL");
