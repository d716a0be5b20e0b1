// SPDX-License-Identifier: GPL-2.0
/* The requests of /dev/bpf that set filter programs. */
#include <linux/uaccess.h>

#include "ioctl.h"
#include "program.h"
#include "setup.h"

/* Copy in a program and check it. Returns NULL if it has no instructions. */
static struct vcap_program *copy_program(const struct bpf_program *user)
{
	struct vcap_program *program;
	int err = -EFAULT;

	if (user->bf_len > BPF_MAXINSNS)
		return ERR_PTR(-EINVAL);
	if (user->bf_len == 0)
		return NULL;
	program = vcap_program_alloc(user->bf_len);
	if (!program)
		return ERR_PTR(-ENOMEM);
	if (!copy_from_user(program->insns, (void __user *)user->bf_insns,
			    user->bf_len * sizeof(program->insns[0])))
		err = vcap_program_install(program);
	if (err) {
		vcap_program_free(program);
		return ERR_PTR(err);
	}
	return program;
}

static int install_filter(struct vcap_file *file, union vcap_argument *arg,
			  bool flush)
{
	struct vcap_program *program = copy_program(&arg->program);
	int err;

	if (IS_ERR(program))
		return PTR_ERR(program);
	err = vcap_setup_filter(file, program, flush);
	if (err)
		vcap_program_free(program);
	return err;
}

int vcap_ioctl_set_filter(struct vcap_file *file, union vcap_argument *arg)
{
	return install_filter(file, arg, true);
}

int vcap_ioctl_set_filter_keep(struct vcap_file *file, union vcap_argument *arg)
{
	return install_filter(file, arg, false);
}

int vcap_ioctl_set_write_filter(struct vcap_file *file, union vcap_argument *arg)
{
	struct vcap_program *program = copy_program(&arg->program);

	if (IS_ERR(program))
		return PTR_ERR(program);
	mutex_lock(&file->lock);
	swap(file->write_filter, program);
	mutex_unlock(&file->lock);
	vcap_program_free(program);
	return 0;
}
