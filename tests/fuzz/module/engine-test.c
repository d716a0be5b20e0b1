// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /dev/engine-test, for tests only: runs programs over frames with the driver's
 * code, which is compiled into this module.
 */
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "program.h"
#include "engine-test.h"

/* Frames are copied to its end, as the guard page after it detects overruns. */
static u8 *packet;
static DEFINE_MUTEX(lock);	/* packet, and one run at a time */

static int run_frame(struct vcap_program *program,
		     const struct vcap_decoded *decoded,
		     struct engine_test_frame __user *user)
{
	struct engine_test_frame frame;
	u8 *pkt;

	if (copy_from_user(&frame, user, sizeof(frame)))
		return -EFAULT;
	if (frame.buflen > ENGINE_TEST_MAX_FRAME)
		return -EINVAL;
	pkt = packet + ENGINE_TEST_MAX_FRAME - frame.buflen;
	if (copy_from_user(pkt, u64_to_user_ptr(frame.data), frame.buflen))
		return -EFAULT;
	migrate_disable();
	frame.native = vcap_program_run(program, pkt, frame.wirelen,
					frame.buflen);
	migrate_enable();
	frame.interpreted = vcap_filter_run(decoded, pkt, frame.wirelen,
					    frame.buflen);
	return copy_to_user(user, &frame, sizeof(frame)) ? -EFAULT : 0;
}

static int run(struct engine_test *test)
{
	struct engine_test_frame __user *frames = u64_to_user_ptr(test->frames);
	struct vcap_decoded *decoded;
	struct vcap_program *program;
	int err = -EFAULT;
	u32 i;

	if (test->len > BPF_MAXINSNS)
		return -EINVAL;
	program = vcap_program_alloc(test->len);
	decoded = kmalloc(vcap_filter_decoded_size(test->len), GFP_KERNEL);
	if (!program || !decoded) {
		vcap_program_free(program);
		kfree(decoded);
		return -ENOMEM;
	}
	if (!copy_from_user(program->insns, u64_to_user_ptr(test->insns),
			    test->len * sizeof(program->insns[0])))
		err = vcap_program_install(program);
	if (!err)
		vcap_filter_decode(program->insns, program->len, decoded);
	for (i = 0; !err && i < test->count; i++)
		err = run_frame(program, decoded, &frames[i]);
	strscpy(test->engine, vcap_program_executor(program),
		sizeof(test->engine));
	vcap_program_free(program);
	kfree(decoded);
	return err;
}

static long engine_test_ioctl(struct file *filp, unsigned int request,
			      unsigned long user)
{
	struct engine_test test;
	int err;

	if (request != ENGINE_TEST_RUN)
		return -ENOTTY;
	if (copy_from_user(&test, (void __user *)user, sizeof(test)))
		return -EFAULT;
	mutex_lock(&lock);
	err = run(&test);
	mutex_unlock(&lock);
	if (!err && copy_to_user((void __user *)user, &test, sizeof(test)))
		err = -EFAULT;
	return err;
}

static const struct file_operations engine_test_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = engine_test_ioctl,
};

static struct miscdevice engine_test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "engine-test",
	.fops = &engine_test_fops,
};

static int __init engine_test_init(void)
{
	int err;

	packet = vmalloc(ENGINE_TEST_MAX_FRAME);
	if (!packet)
		return -ENOMEM;
	err = misc_register(&engine_test_misc);
	if (err)
		vfree(packet);
	return err;
}

static void __exit engine_test_exit(void)
{
	misc_deregister(&engine_test_misc);
	vfree(packet);
}

module_init(engine_test_init);
module_exit(engine_test_exit);

MODULE_DESCRIPTION("Tests of the filters of /dev/bpf");
MODULE_LICENSE("GPL");
