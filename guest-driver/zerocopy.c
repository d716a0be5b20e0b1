// SPDX-License-Identifier: GPL-2.0
/*
 * Buffer model "zerocopy": the buffers are memory of the program (BIOCSETZBUF),
 * which reads it without system calls.
 *
 * Another model, the base, fills and rotates the buffers as it does its own.
 * The hold buffer is not copied out by read(2) but assigned to the program, and
 * the "read" ends when the program has returned the buffer. core/zbuf.h
 * describes how program and kernel hand over a buffer.
 *
 * The driver checks for a returned buffer when it delivers packets, in poll(2),
 * and in each request. For programs that make no calls, delayed work checks,
 * too, while the program owns a buffer: after a jiffy, then with exponential
 * backoff, so that a buffer that is kept for long costs little.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "listener.h"
#include "quota.h"
#include "timeout.h"
#include "zerocopy.h"

/*
 * Largest buffer: the device limits the number of scatterlist entries, and each
 * page may need one.
 */
#define MAX_PAGES	1024UL

/* First and longest interval between checks for a returned buffer, jiffies. */
#define FIRST_CHECK	1
#define LAST_CHECK	(HZ / 8)

/**
 * struct vcap_zerocopy - state of the zero-copy buffers of a descriptor
 * @file: the descriptor
 * @base: the model that fills them; set by attach
 * @zbufs: ownership of each, in the order of vcap_file.memory; protected by the
 *         descriptor's lock, like all members below
 * @check: work that checks for used and returned buffers
 * @delay: interval until the next check, jiffies
 * @update: the work is to send the device the descriptor's requirements
 * @stopped: the descriptor is being detached: the device gets no more buffers
 */
struct vcap_zerocopy {
	struct vcap_file *file;
	const struct vcap_model *base;
	struct vcap_zbuf zbufs[2];
	struct delayed_work check;
	unsigned long delay;
	bool update;
	bool stopped;
};

static const struct vcap_model *base_of(const struct vcap_file *file)
{
	return file->zerocopy->base;
}

/* Return the index of the hold buffer. */
static unsigned int held(const struct vcap_file *file)
{
	return base_of(file)->hold(file) ==
	       vcap_zerocopy_packets(file->memory[1]);
}

static struct vcap_zbuf *held_zbuf(const struct vcap_file *file)
{
	return &file->zerocopy->zbufs[held(file)];
}

/* Make the kernel the owner of both buffers, and zero their headers. */
static void init_zbufs(struct vcap_file *file)
{
	int i;

	for (i = 0; i < 2; i++)
		vcap_zbuf_init(&file->zerocopy->zbufs[i], file->memory[i]->map);
}

/* Take the hold buffer back if the program has returned it. */
static void take(struct vcap_file *file)
{
	struct vcap_zerocopy *zc = file->zerocopy;

	if (!vcap_zbuf_take(held_zbuf(file)))
		return;
	base_of(file)->read_end(file, true);
	/* The device may delay packets again. */
	if (file->desc.timed_out) {
		zc->update = true;
		mod_delayed_work(system_freezable_wq, &zc->check, 0);
	}
	vcap_timeout_end_read(file);
}

static void assign(struct vcap_file *file, u32 len)
{
	struct vcap_zerocopy *zc = file->zerocopy;

	vcap_zbuf_assign(held_zbuf(file), len);
	zc->delay = FIRST_CHECK;
	if (!zc->update)
		mod_delayed_work(system_freezable_wq, &zc->check, zc->delay);
	vcap_listener_wake(file);
}

/*
 * Assign the hold buffer to the program. With @now, rotate the buffers for it
 * even if the store buffer is not full.
 */
static void give(struct vcap_file *file, bool now)
{
	u32 len = base_of(file)->read_begin(file, now);

	if (len && !held_zbuf(file)->assigned)
		assign(file, len);
}

static void zerocopy_share(struct vcap_file *file)
{
	lockdep_assert_held(&file->lock);
	if (!file->zerocopy || !base_of(file) || file->zerocopy->stopped)
		return;
	take(file);
	give(file, false);
}

static void check_fn(struct work_struct *work)
{
	struct vcap_zerocopy *zc = container_of(to_delayed_work(work),
						struct vcap_zerocopy, check);
	struct vcap_file *file = zc->file;
	bool update;

	mutex_lock(&file->lock);
	if (zc->stopped) {
		mutex_unlock(&file->lock);
		return;
	}
	update = zc->update;
	zc->update = false;
	if (file->dev)
		zerocopy_share(file);
	if (held_zbuf(file)->assigned) {
		zc->delay = min_t(unsigned long, zc->delay * 2, LAST_CHECK);
		queue_delayed_work(system_freezable_wq, &zc->check, zc->delay);
	}
	mutex_unlock(&file->lock);
	if (update)
		vcap_listener_update(file);
}

/**
 * vcap_zerocopy_event() - handle a used buffer notification
 * @file: the descriptor, which need not have zero-copy buffers
 *
 * A poller takes the buffer; without one the work does. Called by the interrupt
 * handler.
 */
void vcap_zerocopy_event(struct vcap_file *file)
{
	if (file->zerocopy && !wq_has_sleeper(&file->wait))
		mod_delayed_work(system_freezable_wq, &file->zerocopy->check, 0);
}

/** vcap_zerocopy_set_base() - set the base model of the buffers, if any */
void vcap_zerocopy_set_base(struct vcap_file *file,
			    const struct vcap_model *base)
{
	if (file->zerocopy)
		file->zerocopy->base = base;
}

/** vcap_zerocopy_max() - return the largest size of a buffer, bytes */
size_t vcap_zerocopy_max(void)
{
	return clamp(PAGE_ALIGN_DOWN((size_t)READ_ONCE(vcap_max_buffer)),
		     PAGE_SIZE, MAX_PAGES * PAGE_SIZE);
}

static void free_memory(struct vcap_pages *memory[2])
{
	int i;

	for (i = 0; i < 2; i++)
		if (memory[i])
			vcap_pages_put(memory[i]);
}

/* Pin both buffers. */
static int get_memory(struct vcap_pages *memory[2], const struct bpf_zbuf *zbuf)
{
	const void *starts[] = { zbuf->bz_bufa, zbuf->bz_bufb };
	int i, err;

	for (i = 0; i < 2; i++) {
		struct vcap_pages *pages =
			vcap_pages_pin((unsigned long)starts[i],
				       zbuf->bz_buflen);

		if (IS_ERR(pages)) {
			err = PTR_ERR(pages);
			goto free;
		}
		memory[i] = pages;
	}
	err = vcap_pages_distinct(memory[0], memory[1]);
	if (err)
		goto free;
	return 0;

free:
	free_memory(memory);
	return err;
}

/* Set the size of the descriptor's buffers. */
static void set_size(struct vcap_file *file, u32 size)
{
	mutex_lock(&file->lock);
	file->desc.size = size;
	mutex_unlock(&file->lock);
}

/**
 * vcap_zerocopy_set() - set the buffers, once; config is held
 * @file: the descriptor, in this mode
 * @zbuf: their addresses in the current process, and their size
 *
 * Return: 0; -EINVAL if they are not valid, are already set, or the descriptor
 * is attached; -EFAULT if they are not writable memory of the process; -ENOBUFS
 * if the user's limit is reached; -ENOMEM if the limit of locked memory is
 * reached or there is no memory.
 */
int vcap_zerocopy_set(struct vcap_file *file, const struct bpf_zbuf *zbuf)
{
	struct vcap_pages *memory[2] = {};
	u32 old_size = file->desc.size;
	struct vcap_zerocopy *zc;
	int err;

	lockdep_assert_held(&file->config);
	if (file->dev || file->zerocopy ||
	    !vcap_zbuf_valid(zbuf, PAGE_SIZE, vcap_zerocopy_max()))
		return -EINVAL;
	zc = kzalloc(sizeof(*zc), GFP_KERNEL_ACCOUNT);
	if (!zc)
		return -ENOMEM;
	zc->file = file;
	INIT_DELAYED_WORK(&zc->check, check_fn);
	set_size(file, zbuf->bz_buflen - VCAP_ZBUF_HDRLEN);
	err = vcap_quota_charge(file);
	if (err)
		goto restore;
	err = get_memory(memory, zbuf);
	if (err)
		goto uncharge;
	mutex_lock(&file->lock);
	memcpy(file->memory, memory, sizeof(memory));
	file->zerocopy = zc;
	init_zbufs(file);
	mutex_unlock(&file->lock);
	return 0;

uncharge:
	vcap_quota_uncharge(file);
restore:
	set_size(file, old_size);
	kfree(zc);
	return err;
}

/** vcap_zerocopy_free() - free the buffers of a descriptor, if any */
void vcap_zerocopy_free(struct vcap_file *file)
{
	if (!file->zerocopy)
		return;
	cancel_delayed_work_sync(&file->zerocopy->check);
	free_memory(file->memory);
	kfree(file->zerocopy);
	vcap_quota_uncharge(file);
}

/**
 * vcap_zerocopy_rotate() - assign stored packets to the program; config is held
 * @file: the descriptor, in this mode
 * @zbuf: set to the buffer that this call has assigned; zeros if none
 *
 * Return: 0, or -EIO if the interface is gone and no packets are left.
 */
int vcap_zerocopy_rotate(struct vcap_file *file, struct bpf_zbuf *zbuf)
{
	bool had, has;
	int err = 0;

	memset(zbuf, 0, sizeof(*zbuf));
	/* These do not change while config is held. */
	if (!file->dev)
		return 0;
	mutex_lock(&file->lock);
	had = held_zbuf(file)->assigned;
	mutex_unlock(&file->lock);
	/* If this fails, a later call gets the packets that the device has. */
	vcap_listener_sync(file, VCAP_SYNC_READ);
	mutex_lock(&file->lock);
	take(file);
	give(file, true);
	has = held_zbuf(file)->assigned;
	if (has && !had) {
		zbuf->bz_bufa = (void *)file->memory[held(file)]->start;
		zbuf->bz_buflen = file->desc.hold_len;
	}
	if (!has && file->desc.gone)
		err = -EIO;
	mutex_unlock(&file->lock);
	return err;
}

static int zerocopy_attach(struct vcap_file *file, struct vcap_dev *dev)
{
	if (!file->zerocopy)
		return -EINVAL;
	mutex_lock(&file->lock);
	init_zbufs(file);
	file->zerocopy->stopped = false;
	mutex_unlock(&file->lock);
	return base_of(file)->attach(file, dev);
}

static int zerocopy_start(struct vcap_file *file, struct vcap_dev *dev)
{
	return base_of(file)->start(file, dev);
}

static void zerocopy_detach(struct vcap_file *file, struct vcap_dev *dev)
{
	/* The work must not make buffers available that were just returned. */
	mutex_lock(&file->lock);
	file->zerocopy->stopped = true;
	mutex_unlock(&file->lock);
	base_of(file)->detach(file, dev);
}

static int zerocopy_prepare(struct vcap_file *file,
			    const struct vcap_change *next)
{
	return base_of(file)->prepare(file, next);
}

static int zerocopy_update(struct vcap_file *file)
{
	return base_of(file)->update(file);
}

static int zerocopy_sync(struct vcap_file *file, enum vcap_sync how)
{
	int err = base_of(file)->sync(file, how);

	/* Assign the buffer that the device has used. */
	vcap_listener_share(file);
	return err;
}

static void zerocopy_prepare_wait(struct vcap_file *file)
{
	base_of(file)->prepare_wait(file);
}

static bool zerocopy_pending(const struct vcap_file *file)
{
	return base_of(file)->pending(file);
}

static bool zerocopy_fetch(struct vcap_file *file)
{
	bool more = base_of(file)->fetch(file);

	vcap_listener_share(file);
	return more;
}

static void zerocopy_end(struct vcap_file *file)
{
	base_of(file)->end(file);
	zerocopy_share(file);
}

static bool zerocopy_readable(const struct vcap_file *file)
{
	return !file->zerocopy || !base_of(file) ||
	       base_of(file)->readable(file);
}

/* Only the hold buffer counts, and the program already owns it. */
static u32 zerocopy_available(const struct vcap_file *file)
{
	return file->dev ? file->desc.hold_len : 0;
}

/*
 * Before the buffers are emptied: assign a full hold buffer with a length of 0,
 * as the program expects the two buffers to alternate.
 */
static void empty(struct vcap_file *file)
{
	take(file);
	if (base_of(file)->read_begin(file, false) &&
	    !held_zbuf(file)->assigned)
		assign(file, 0);
}

static void zerocopy_discard(struct vcap_file *file)
{
	if (!file->dev)
		return;
	empty(file);
	base_of(file)->discard(file);
}

static void zerocopy_flush(struct vcap_file *file)
{
	if (!file->dev)
		return;
	empty(file);
	base_of(file)->flush(file);
}

const struct vcap_model vcap_zerocopy_model = {
	.name = "zerocopy",
	.preset = true,
	.attach = zerocopy_attach,
	.start = zerocopy_start,
	.detach = zerocopy_detach,
	.prepare = zerocopy_prepare,
	.update = zerocopy_update,
	.sync = zerocopy_sync,
	.prepare_wait = zerocopy_prepare_wait,
	.pending = zerocopy_pending,
	.fetch = zerocopy_fetch,
	.share = zerocopy_share,
	.end = zerocopy_end,
	.readable = zerocopy_readable,
	.available = zerocopy_available,
	.held = zerocopy_available,
	.discard = zerocopy_discard,
	.flush = zerocopy_flush,
};
