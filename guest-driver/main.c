// SPDX-License-Identifier: GPL-2.0
/* The module: /dev/bpf and the driver of virtio capture devices. */
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "compat-ioctl.h"
#include "file.h"
#include "interface.h"
#include "ioctl.h"
#include "procfs.h"
#include "quota.h"
#include "sysctl.h"
#include "virtio.h"

static const struct file_operations vcap_fops = {
	.owner = THIS_MODULE,
	.open = vcap_open,
	.release = vcap_release,
	.read_iter = vcap_read_iter,
	.write_iter = vcap_write_iter,
	.poll = vcap_poll,
	.unlocked_ioctl = vcap_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = vcap_compat_ioctl,
#endif
};

/*
 * The cloning device: every open creates a new descriptor. /dev/bpf0 is for
 * programs that know numbered devices only.
 */
static struct miscdevice vcap_nodes[] = {
	{
		.minor = MISC_DYNAMIC_MINOR,
		.name = "bpf",
		.mode = 0660,
		.fops = &vcap_fops,
	}, {
		.minor = MISC_DYNAMIC_MINOR,
		.name = "bpf0",
		.mode = 0660,
		.fops = &vcap_fops,
	},
};

static int __init vcap_init(void)
{
	int err;

	vcap_quota_init();
	err = vcap_sysctl_init();
	if (err)
		return err;
	err = vcap_procfs_init();
	if (err)
		goto exit_sysctl;
	err = vcap_interface_init();
	if (err)
		goto exit_procfs;
	err = register_virtio_driver(&vcap_virtio_driver);
	if (err)
		goto exit_interface;
	err = misc_register(&vcap_nodes[0]);
	if (err)
		goto unregister_driver;
	err = misc_register(&vcap_nodes[1]);
	if (err)
		goto deregister_bpf;
	return 0;

deregister_bpf:
	misc_deregister(&vcap_nodes[0]);
unregister_driver:
	unregister_virtio_driver(&vcap_virtio_driver);
exit_interface:
	vcap_interface_exit();
exit_procfs:
	vcap_procfs_exit();
exit_sysctl:
	vcap_sysctl_exit();
	return err;
}
module_init(vcap_init);

static void __exit vcap_exit(void)
{
	misc_deregister(&vcap_nodes[1]);
	misc_deregister(&vcap_nodes[0]);
	unregister_virtio_driver(&vcap_virtio_driver);
	vcap_interface_exit();
	vcap_procfs_exit();
	vcap_sysctl_exit();
}
module_exit(vcap_exit);

MODULE_DESCRIPTION("Virtio capture device: the Berkeley Packet Filter, /dev/bpf");
MODULE_LICENSE("GPL");
MODULE_VERSION(VCAP_VERSION);
