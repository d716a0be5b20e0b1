// SPDX-License-Identifier: GPL-2.0
/* Changes of a descriptor's settings that affect the device. */
#include "device.h"
#include "interface.h"
#include "kernel-model.h"
#include "listen.h"
#include "listener.h"
#include "model.h"
#include "offload.h"
#include "quota.h"
#include "setup.h"
#include "trace.h"
#include "zerocopy.h"

/** vcap_setup_current() - get the current settings; config is held */
void vcap_setup_current(struct vcap_file *file, struct vcap_change *next)
{
	lockdep_assert_held(&file->config);
	memset(next, 0, sizeof(*next));
	vcap_listener_add_needs(file, &next->needs);
	next->filter = file->filter;
}

/**
 * vcap_setup_prepare() - prepare the device for a change of the settings
 * @file: the descriptor; config is held
 * @next: the settings after the change
 *
 * On success, the device captures what both the old and the new settings
 * require, and all frames from before the call are in the buffers. The caller
 * then changes the settings, which cannot fail, and calls vcap_setup_finish().
 *
 * Return: 0 or the error of a command; then the settings must not be changed.
 */
int vcap_setup_prepare(struct vcap_file *file, const struct vcap_change *next)
{
	int err = 0;

	lockdep_assert_held(&file->config);
	if (vcap_listener_is_live(file))
		err = file->model->prepare(file, next);
	if (!err || READ_ONCE(file->desc.gone))
		return 0;
	vcap_setup_finish(file);
	return err;
}

/** vcap_setup_finish() - end a change, made or not, and update the device */
void vcap_setup_finish(struct vcap_file *file)
{
	mutex_lock(&file->lock);
	memset(&file->next, 0, sizeof(file->next));
	mutex_unlock(&file->lock);
	/* Ignore errors: the device only captures more than required. */
	vcap_listener_update(file);
}

/* Set the model that fills the buffers. */
static void fill_with(struct vcap_file *file, const struct vcap_model *model)
{
	if (file->model->preset)
		vcap_zerocopy_set_base(file, model);
	else
		file->model = model;
}

/* Allocate the buffers: those of the device model if possible. */
static int attach(struct vcap_file *file, struct vcap_dev *dev)
{
	int err = -EBUSY;

	if (vcap_offload_possible(file, dev)) {
		fill_with(file, &vcap_offload_model);
		err = file->model->attach(file, dev);
	}
	if (err) {
		/* Also the default of a descriptor that is not attached. */
		fill_with(file, &vcap_kernel_model);
		if (err == -EBUSY)
			err = file->model->attach(file, dev);
	}
	return err;
}

/* Undo attach(). */
static void detach(struct vcap_file *file, struct vcap_dev *dev)
{
	file->model->detach(file, dev);
	fill_with(file, &vcap_kernel_model);
}

/*
 * Listen to a device by the name of an interface; NULL: by the device's own
 * name. The memory of the buffers is already charged.
 */
static int listen(struct vcap_file *file, struct vcap_dev *dev,
		  const char *name)
{
	int err = attach(file, dev);

	if (err)
		return err;
	err = vcap_interface_listen(dev, file, name);
	if (err)
		goto detach;
	err = file->model->start(file, dev);
	if (err)
		goto del_listener;
	mutex_lock(&file->lock);
	file->dev = dev;
	mutex_unlock(&file->lock);
	return 0;

del_listener:
	vcap_listen_del(dev, file);
detach:
	detach(file, dev);
	return err;
}

/**
 * vcap_setup_attach() - attach a descriptor to an interface; config is held
 * @file: the descriptor
 * @name: of the interface or the capture device
 *
 * Return: 0; -EINVAL if it was attached before; -ENXIO if there is no such
 * interface or no device captures on it; -ENOBUFS if the user's limit is
 * reached or there is no memory; or the error of a command.
 */
int vcap_setup_attach(struct vcap_file *file, const char *name)
{
	struct vcap_dev *dev;
	bool own_name;
	int err;

	lockdep_assert_held(&file->config);
	if (file->dev)
		return -EINVAL;
	dev = vcap_interface_find(name, &own_name);
	if (!dev)
		return -ENXIO;
	err = file->model->preset ? 0 : vcap_quota_charge(file);
	if (err)
		goto put_dev;
	err = listen(file, dev, own_name ? NULL : name);
	if (err)
		goto uncharge;
	trace_virtio_capture_attach(file);
	return 0;

uncharge:
	if (!file->model->preset)
		vcap_quota_uncharge(file);
put_dev:
	vcap_dev_put(dev);
	return err;
}

/** vcap_setup_detach() - undo vcap_setup_attach(), when it is closed */
void vcap_setup_detach(struct vcap_file *file)
{
	struct vcap_dev *dev = file->dev;

	if (!dev)
		return;
	trace_virtio_capture_detach(file);
	vcap_listen_del(dev, file);
	detach(file, dev);
	if (!file->model->preset)
		vcap_quota_uncharge(file);
	vcap_dev_put(dev);
}

/**
 * vcap_setup_filter() - replace the filter; config is held
 * @file: the descriptor
 * @filter: the new filter, owned by the descriptor on success; NULL: none
 * @flush: empty the buffers and reset the counts
 *
 * Return: 0 or the error of a command; then the old filter stays.
 */
int vcap_setup_filter(struct vcap_file *file, struct vcap_program *filter,
		      bool flush)
{
	struct vcap_change next;
	int err;

	vcap_setup_current(file, &next);
	/* The new filter must not see frames cut to the old snapshot length. */
	next.needs.snaplen = filter ? filter->snaplen : U32_MAX;
	next.filter = filter;
	next.discard = flush;
	err = vcap_setup_prepare(file, &next);
	if (err)
		return err;
	mutex_lock(&file->lock);
	swap(file->filter, filter);
	if (flush)
		file->model->flush(file);
	mutex_unlock(&file->lock);
	vcap_program_free(filter);
	vcap_setup_finish(file);
	return 0;
}
