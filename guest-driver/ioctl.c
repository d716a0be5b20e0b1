// SPDX-License-Identifier: GPL-2.0
/* The requests of /dev/bpf: the table of all, and handlers; more in ioctl-*.c. */
#include <linux/sched.h>
#include <linux/uaccess.h>

#include <asm/ioctls.h>

#include "device.h"
#include "interface.h"
#include "ioctl.h"
#include "listener.h"
#include "model.h"
#include "setup.h"
#include "timeout.h"

/* Timeouts must be below 2^31 ms. */
#define MAX_TIMEOUT_NS	(2147483648ULL * NSEC_PER_MSEC)

static int lock(struct vcap_file *file, union vcap_argument *arg)
{
	file->locked = true;
	return 0;
}

/* Return true if it is attached to an interface that still exists. */
static bool has_interface(struct vcap_file *file)
{
	return file->dev && !file->desc.gone;
}

static int set_promisc(struct vcap_file *file, union vcap_argument *arg)
{
	struct vcap_change next;
	int err;

	if (!has_interface(file))
		return -EINVAL;
	vcap_setup_current(file, &next);
	next.needs.flags |= VIRTIO_CAPTURE_L_PROMISC;
	/* Frames from before are captured without it. */
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	file->desc.promisc = true;
	mutex_unlock(&file->lock);
	vcap_setup_finish(file);
	return 0;
}

static int get_dlt(struct vcap_file *file, union vcap_argument *arg)
{
	if (!has_interface(file))
		return -EINVAL;
	arg->value = file->dev->link_type;
	return 0;
}

static int set_dlt(struct vcap_file *file, union vcap_argument *arg)
{
	if (!has_interface(file) || arg->value != file->dev->link_type)
		return -EINVAL;
	return 0;
}

static int get_dlt_list(struct vcap_file *file, union vcap_argument *arg)
{
	struct bpf_dltlist *list = &arg->dltlist;

	if (!has_interface(file))
		return -EINVAL;
	if (list->bfl_list) {
		if (list->bfl_len < 1)
			return -ENOMEM;
		if (put_user(file->dev->link_type,
			     (unsigned int __user *)list->bfl_list))
			return -EFAULT;
	}
	list->bfl_len = 1;
	return 0;
}

static int get_interface(struct vcap_file *file, union vcap_argument *arg)
{
	if (!has_interface(file))
		return -EINVAL;
	return vcap_interface_name(file->dev, file, arg->ifreq.ifr_name);
}

static int set_interface(struct vcap_file *file, union vcap_argument *arg)
{
	arg->ifreq.ifr_name[IFNAMSIZ - 1] = '\0';
	return vcap_setup_attach(file, arg->ifreq.ifr_name);
}

static int get_stats(struct vcap_file *file, union vcap_argument *arg)
{
	int err = vcap_listener_sync(file, VCAP_SYNC_COUNTS);

	if (err)
		return err;
	mutex_lock(&file->lock);
	arg->stat.bs_recv = file->desc.recv;
	arg->stat.bs_drop = file->desc.drop;
	arg->stat.bs_capt = file->desc.capt;
	mutex_unlock(&file->lock);
	return 0;
}

static int set_immediate(struct vcap_file *file, union vcap_argument *arg)
{
	bool immediate = arg->value != 0;
	struct vcap_change next;
	int err;

	vcap_setup_current(file, &next);
	next.needs.immediate = immediate;
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	file->desc.immediate = immediate;
	mutex_unlock(&file->lock);
	vcap_setup_finish(file);
	/* The device may use the buffer in progress after its reply only. */
	if (immediate)
		vcap_listener_catch_up(file);
	/* Stored packets have become readable. */
	vcap_listener_wake(file);
	return 0;
}

static int get_version(struct vcap_file *file, union vcap_argument *arg)
{
	arg->version.bv_major = BPF_MAJOR_VERSION;
	arg->version.bv_minor = BPF_MINOR_VERSION;
	return 0;
}

static int get_header_complete(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.header_complete;
	return 0;
}

static int set_header_complete(struct vcap_file *file, union vcap_argument *arg)
{
	file->desc.header_complete = arg->value != 0;
	return 0;
}

static int get_feedback(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.feedback;
	return 0;
}

static int set_feedback(struct vcap_file *file, union vcap_argument *arg)
{
	file->desc.feedback = arg->value != 0;
	return 0;
}

static int get_see_sent(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.direction != BPF_D_IN;
	return 0;
}

static int get_direction(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.direction;
	return 0;
}

static int set_direction(struct vcap_file *file, union vcap_argument *arg)
{
	const u32 both = VIRTIO_CAPTURE_L_RECEIVED | VIRTIO_CAPTURE_L_SENT;
	struct vcap_change next;
	int err;

	if (arg->value > BPF_D_OUT)
		return -EINVAL;
	vcap_setup_current(file, &next);
	next.needs.flags &= ~both;
	next.needs.flags |= vcap_direction_flags(arg->value);
	/* Frames from before are captured with the old direction. */
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	file->desc.direction = arg->value;
	mutex_unlock(&file->lock);
	vcap_setup_finish(file);
	return 0;
}

static int set_see_sent(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = arg->value ? BPF_D_INOUT : BPF_D_IN;
	return set_direction(file, arg);
}

static int get_timeout(struct vcap_file *file, union vcap_argument *arg)
{
	u32 ns;

	arg->timeval.tv_sec = div_u64_rem(file->timeout, NSEC_PER_SEC, &ns);
	arg->timeval.tv_usec = ns / NSEC_PER_USEC;
	return 0;
}

static int set_timeout(struct vcap_file *file, union vcap_argument *arg)
{
	const struct bpf_timeval *tv = &arg->timeval;
	u64 ns;

	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= USEC_PER_SEC)
		return -EINVAL;
	if (tv->tv_sec >= MAX_TIMEOUT_NS / NSEC_PER_SEC + 1)
		return -EDOM;
	ns = tv->tv_sec * NSEC_PER_SEC + tv->tv_usec * NSEC_PER_USEC;
	if (ns >= MAX_TIMEOUT_NS)
		return -EDOM;
	mutex_lock(&file->lock);
	file->timeout = ns;
	vcap_timeout_cancel(file);
	file->desc.timed_out = false;
	mutex_unlock(&file->lock);
	/* The delay of packets in the device depends on it. */
	vcap_listener_update(file);
	/* Pollers start again, with the new timeout. */
	vcap_listener_wake(file);
	return 0;
}

static int get_tstamp(struct vcap_file *file, union vcap_argument *arg)
{
	arg->value = file->desc.format.tstamp;
	return 0;
}

static int set_tstamp(struct vcap_file *file, union vcap_argument *arg)
{
	struct vcap_change next;
	int err;

	if (arg->value > BPF_T_BINTIME)
		return -EINVAL;
	if (arg->value == file->desc.format.tstamp)
		return 0;
	vcap_setup_current(file, &next);
	next.discard = true;
	next.needs.flags &= ~VIRTIO_CAPTURE_L_NANOSECONDS;
	if (arg->value != BPF_T_MICROTIME)
		next.needs.flags |= VIRTIO_CAPTURE_L_NANOSECONDS;
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	/* A reader could not distinguish packets of two formats. */
	file->model->discard(file);
	file->desc.format.tstamp = arg->value;
	mutex_unlock(&file->lock);
	vcap_setup_finish(file);
	return 0;
}

/* The number of FIONREAD does not encode its argument, an int to write. */
#define FIONREAD_TYPED	_IOR('T', _IOC_NR(FIONREAD), int)

/*
 * After BIOCLOCK only the requests marked ALWAYS are allowed: those that query
 * the state, and those that change how packets are read but not which packets.
 */
enum { ALWAYS = 1, UNLOCKED = 0 };

static const struct request {
	unsigned int number;
	vcap_handler *handle;
	bool always;
} requests[] = {
	{ BIOCGBLEN, vcap_ioctl_get_blen, ALWAYS },
	{ BIOCSBLEN, vcap_ioctl_set_blen, UNLOCKED },
	{ BIOCSETF, vcap_ioctl_set_filter, UNLOCKED },
	{ BIOCFLUSH, vcap_ioctl_flush, ALWAYS },
	{ BIOCPROMISC, set_promisc, UNLOCKED },
	{ BIOCGDLT, get_dlt, ALWAYS },
	{ BIOCGETIF, get_interface, ALWAYS },
	{ BIOCSETIF, set_interface, UNLOCKED },
	{ BIOCGSTATS, get_stats, ALWAYS },
	{ BIOCIMMEDIATE, set_immediate, ALWAYS },
	{ BIOCVERSION, get_version, ALWAYS },
	{ BIOCGHDRCMPLT, get_header_complete, ALWAYS },
	{ BIOCSHDRCMPLT, set_header_complete, UNLOCKED },
	{ BIOCSDLT, set_dlt, UNLOCKED },
	{ BIOCGDLTLIST, get_dlt_list, ALWAYS },
	{ BIOCGSEESENT, get_see_sent, ALWAYS },
	{ BIOCSSEESENT, set_see_sent, UNLOCKED },
	{ BIOCSRTIMEOUT, set_timeout, ALWAYS },
	{ BIOCGRTIMEOUT, get_timeout, ALWAYS },
	{ BIOCGFEEDBACK, get_feedback, ALWAYS },
	{ BIOCSFEEDBACK, set_feedback, UNLOCKED },
	{ BIOCLOCK, lock, ALWAYS },
	{ BIOCSETWF, vcap_ioctl_set_write_filter, UNLOCKED },
	{ BIOCGDIRECTION, get_direction, ALWAYS },
	{ BIOCSDIRECTION, set_direction, UNLOCKED },
	{ BIOCSETFNR, vcap_ioctl_set_filter_keep, UNLOCKED },
	{ BIOCGTSTAMP, get_tstamp, ALWAYS },
	{ BIOCSTSTAMP, set_tstamp, ALWAYS },
	{ BIOCGETBUFMODE, vcap_ioctl_get_bufmode, ALWAYS },
	{ BIOCSETBUFMODE, vcap_ioctl_set_bufmode, UNLOCKED },
	{ BIOCGETZMAX, vcap_ioctl_get_zbuf_max, ALWAYS },
	{ BIOCROTZBUF, vcap_ioctl_rotate_zbuf, ALWAYS },
	{ BIOCSETZBUF, vcap_ioctl_set_zbuf, UNLOCKED },
	{ FIONREAD_TYPED, vcap_ioctl_get_readable, ALWAYS },
};

static const struct request *find_request(unsigned int number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].number == number)
			return &requests[i];
	return NULL;
}

int vcap_request(struct vcap_file *file, unsigned int number,
		 union vcap_argument *arg)
{
	const struct request *request = find_request(number);
	int err = -EPERM;

	if (!request)
		return -ENOTTY;
	mutex_lock(&file->config);
	file->pid = task_tgid_nr(current);
	vcap_listener_share(file);
	if (!file->locked || request->always)
		err = request->handle(file, arg);
	mutex_unlock(&file->config);
	return err;
}

long vcap_ioctl(struct file *filp, unsigned int request, unsigned long user)
{
	struct vcap_file *file = filp->private_data;
	union vcap_argument arg;
	int err;

	/* Zero all of it: parts that a handler does not set are copied out. */
	memset(&arg, 0, sizeof(arg));
	if (request == FIONREAD)
		request = FIONREAD_TYPED;
	if (!find_request(request))
		return -ENOTTY;
	if ((_IOC_DIR(request) & _IOC_WRITE) &&
	    copy_from_user(&arg, (void __user *)user, _IOC_SIZE(request)))
		return -EFAULT;
	/* BIOCSBLEN must not change the size if it cannot copy out the result. */
	if (_IOC_DIR(request) == (_IOC_READ | _IOC_WRITE) &&
	    copy_to_user((void __user *)user, &arg, _IOC_SIZE(request)))
		return -EFAULT;
	err = vcap_request(file, request, &arg);
	if (err)
		return err;
	if ((_IOC_DIR(request) & _IOC_READ) &&
	    copy_to_user((void __user *)user, &arg, _IOC_SIZE(request)))
		return -EFAULT;
	return 0;
}
