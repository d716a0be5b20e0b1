// SPDX-License-Identifier: GPL-2.0
/* Changes of a descriptor's set-up that the device has to know of. */
#include "device.h"
#include "interface.h"
#include "kernel-model.h"
#include "quota.h"
#include "listen.h"
#include "listener.h"
#include "model.h"
#include "offload.h"
#include "setup.h"
#include "zerocopy.h"

/** vcap_setup_current() - a change that changes nothing yet; config is held */
void vcap_setup_current(struct vcap_file *file, struct vcap_change *next)
{
	lockdep_assert_held(&file->config);
	memset(next, 0, sizeof(*next));
	vcap_listener_add_needs(file, &next->needs);
	next->filter = file->filter;
}

/**
 * vcap_setup_prepare() - get the device ready for a change of the set-up
 * @file: the descriptor; config is held
 * @next: the set-up after it
 *
 * Afterwards all frames come as they are needed with the new set-up, and those
 * that came before are in the buffers. The caller then changes the set-up, which
 * cannot fail, and calls vcap_setup_finish().
 *
 * Return: 0, or why the device could not be told: then nothing may change.
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

/** vcap_setup_finish() - a change was made, or given up: need no more for it */
void vcap_setup_finish(struct vcap_file *file)
{
	mutex_lock(&file->lock);
	memset(&file->next, 0, sizeof(file->next));
	mutex_unlock(&file->lock);
	/* Until the device knows, it does more than it needs to: no error. */
	vcap_listener_update(file);
}

/* Have a model fill the buffers, its own or the program's. */
static void fill_with(struct vcap_file *file, const struct vcap_model *model)
{
	if (file->model->preset)
		vcap_zerocopy_set_base(file, model);
	else
		file->model = model;
}

/* The buffers: the device's work where it can do it, or the kernel's. */
static int attach(struct vcap_file *file, struct vcap_dev *dev)
{
	int err = -EBUSY;

	if (vcap_offload_possible(file, dev)) {
		fill_with(file, &vcap_offload_model);
		err = file->model->attach(file, dev);
	}
	if (err) {
		/* Also that of a descriptor that is not attached. */
		fill_with(file, &vcap_kernel_model);
		if (err == -EBUSY)
			err = file->model->attach(file, dev);
	}
	return err;
}

/* Undo that. */
static void detach(struct vcap_file *file, struct vcap_dev *dev)
{
	file->model->detach(file, dev);
	fill_with(file, &vcap_kernel_model);
}

/*
 * Listen to a device by the name of an interface, or by its own: NULL. The
 * memory of the buffers is charged.
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
 * Return: 0, -EINVAL if it was attached before, -ENXIO if there is no such
 * interface or no device captures on it, -ENOBUFS if its user may have no more
 * memory or there is none, or why the device could not be told.
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
	return 0;

uncharge:
	if (!file->model->preset)
		vcap_quota_uncharge(file);
put_dev:
	vcap_dev_put(dev);
	return err;
}

/** vcap_setup_detach() - undo that for a descriptor that nobody uses any more */
void vcap_setup_detach(struct vcap_file *file)
{
	struct vcap_dev *dev = file->dev;

	if (!dev)
		return;
	vcap_listen_del(dev, file);
	detach(file, dev);
	if (!file->model->preset)
		vcap_quota_uncharge(file);
	vcap_dev_put(dev);
}

/**
 * vcap_setup_filter() - replace the filter; config is held
 * @file: the descriptor
 * @filter: the new one, owned by the descriptor from now on; NULL: none
 * @flush: start afresh, without what the old one let in
 *
 * Return: 0, or why the device could not be told: then the old filter stays, and
 * the new one is still the caller's.
 */
int vcap_setup_filter(struct vcap_file *file, struct vcap_program *filter,
		      bool flush)
{
	struct vcap_change next;
	int err;

	vcap_setup_current(file, &next);
	/* The new filter must not meet frames cut to what the old one wanted. */
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
