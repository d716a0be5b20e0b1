// SPDX-License-Identifier: GPL-2.0-or-later
/* Causes the fault that the parameter names in a guest's kernel. */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <asm/irqflags.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "warning, oops, lockup, hang, stuck or dead; for a debug kernel also leak, freed, shift, order, asleep or rcu");

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(two);
static DEFINE_SPINLOCK(spin);
static int __rcu *shared;

/* Causes a fault that only a debug kernel finds. Returns false for other names. */
static bool hidden_fault(void)
{
	volatile unsigned int bits = 40;
	volatile char *memory;

	if (!strcmp(kind, "leak")) {
		memory = kmalloc(100, GFP_KERNEL);
	} else if (!strcmp(kind, "freed")) {
		memory = kmalloc(100, GFP_KERNEL);
		kfree((void *)memory);
		(void)memory[7];
	} else if (!strcmp(kind, "shift")) {
		pr_info("%d\n", 1 << bits);
	} else if (!strcmp(kind, "order")) {
		mutex_lock(&one);
		mutex_lock(&two);
		mutex_unlock(&two);
		mutex_unlock(&one);
		mutex_lock(&two);
		mutex_lock(&one);
		mutex_unlock(&one);
		mutex_unlock(&two);
	} else if (!strcmp(kind, "asleep")) {
		spin_lock(&spin);
		might_sleep();
		spin_unlock(&spin);
	} else if (!strcmp(kind, "rcu")) {
		(void)rcu_dereference(shared);
	} else {
		return false;
	}
	return true;
}

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
	} else if (!hidden_fault()) {
		return -EINVAL;
	}
	return 0;
}
module_init(fault_init);

static void __exit fault_exit(void)
{
}
module_exit(fault_exit);

MODULE_DESCRIPTION("Kernel faults for tests of the launcher");
MODULE_LICENSE("GPL");
