// SPDX-License-Identifier: GPL-2.0
/* The requests of /dev/bpf for buffers: size, mode, contents, zero-copy memory. */
#include "ioctl.h"
#include "kernel-model.h"
#include "listener.h"
#include "model.h"
#include "quota.h"
#include "setup.h"
#include "zerocopy.h"

/* Return true if the buffers are memory of the program. */
static bool is_zerocopy(const struct vcap_file *file)
{
	return file->model == &vcap_zerocopy_model;
}

int vcap_ioctl_get_blen(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.size;
	return 0;
}

int vcap_ioctl_set_blen(struct vcap_file *file, union vcap_argument *arg)
{
	if (is_zerocopy(file))
		return -EOPNOTSUPP;
	if (file->dev)
		return -EINVAL;
	arg->value = vcap_desc_clamp(arg->value,
				     READ_ONCE(vcap_max_buffer));
	mutex_lock(&file->lock);
	file->desc.size = arg->value;
	mutex_unlock(&file->lock);
	return 0;
}

int vcap_ioctl_flush(struct vcap_file *file, union vcap_argument *arg)
{
	struct vcap_change next;
	int err;

	vcap_setup_current(file, &next);
	next.discard = true;
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	file->model->flush(file);
	mutex_unlock(&file->lock);
	vcap_setup_finish(file);
	return 0;
}

int vcap_ioctl_get_bufmode(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = is_zerocopy(file) ? BPF_BUFMODE_ZBUF : BPF_BUFMODE_BUFFER;
	return 0;
}

int vcap_ioctl_set_bufmode(struct vcap_file *file, union vcap_argument *arg)
{
	if (arg->value != BPF_BUFMODE_BUFFER && arg->value != BPF_BUFMODE_ZBUF)
		return -EINVAL;
	if (file->dev || file->zerocopy)
		return -EBUSY;
	mutex_lock(&file->lock);
	file->model = arg->value == BPF_BUFMODE_ZBUF ? &vcap_zerocopy_model :
						       &vcap_kernel_model;
	mutex_unlock(&file->lock);
	return 0;
}

int vcap_ioctl_get_zbuf_max(struct vcap_file *file, union vcap_argument *arg)
{
	if (!is_zerocopy(file))
		return -EOPNOTSUPP;
	arg->size = vcap_zerocopy_max();
	return 0;
}

int vcap_ioctl_set_zbuf(struct vcap_file *file, union vcap_argument *arg)
{
	if (!is_zerocopy(file))
		return -EOPNOTSUPP;
	return vcap_zerocopy_set(file, &arg->zbuf);
}

int vcap_ioctl_rotate_zbuf(struct vcap_file *file, union vcap_argument *arg)
{
	if (!is_zerocopy(file))
		return -EOPNOTSUPP;
	return vcap_zerocopy_rotate(file, &arg->zbuf);
}

int vcap_ioctl_get_readable(struct vcap_file *file, union vcap_argument *arg)
{
	bool as_they_come;
	int err;

	mutex_lock(&file->lock);
	as_they_come = file->desc.immediate || file->desc.timed_out;
	arg->value = file->model->held(file);
	mutex_unlock(&file->lock);
	/* The hold buffer is full: there is no need to ask the device. */
	if (arg->value)
		return 0;
	err = vcap_listener_sync(file, as_they_come ?
				 VCAP_SYNC_READ : VCAP_SYNC_COUNTS);
	if (err)
		return err;
	mutex_lock(&file->lock);
	arg->value = file->model->available(file);
	mutex_unlock(&file->lock);
	return 0;
}
