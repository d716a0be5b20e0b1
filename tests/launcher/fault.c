// SPDX-License-Identifier: GPL-2.0-or-later
/* Gives a guest's kernel one fault, the one that its parameter names. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <asm/irqflags.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "warning, oops, lockup, hang, stuck or dead");

static int __init fault_init(void)
{
	if (!strcmp(kind, "warning")) {
		WARN(1, "asked for by a test\n");
	} else if (!strcmp(kind, "oops")) {
		*(volatile int *)8 = 1;
	} else if (!strcmp(kind, "lockup")) {
		preempt_disable();
		mdelay(20000);
		preempt_enable();
	} else if (!strcmp(kind, "hang")) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(10 * HZ);
	} else if (!strcmp(kind, "stuck")) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		schedule_timeout(1000 * HZ);
	} else if (!strcmp(kind, "dead")) {
		local_irq_disable();
		for (;;)
			halt();
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(fault_init);

static void __exit fault_exit(void)
{
}
module_exit(fault_exit);

MODULE_DESCRIPTION("A fault for the launcher to notice");
MODULE_LICENSE("GPL");
