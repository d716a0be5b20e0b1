// SPDX-License-Identifier: GPL-2.0
/*
 * Buffer model "zerocopy": the buffers are the program's own memory, which it
 * reads without a call (BIOCSETZBUF).
 *
 * Another model fills them, as it fills memory of its own, and rotates them. What
 * is held then is not copied out by read(2), but the hold buffer is assigned to
 * the program, and the "read" ends when the program has given it back.
 * core/zbuf.h tells how the two let each other know.
 *
 * That the program has given a buffer back is found out when the driver runs for
 * the descriptor anyway: for packets, in poll(2) and in each request. For a
 * program that only watches memory a work looks, too, while the program owns a
 * buffer: after a tick of the system's clock, then after twice the time each
 * time, so that a buffer that was kept for long costs nothing.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "quota.h"
#include "listener.h"
#include "timeout.h"
#include "zerocopy.h"

/*
 * Largest buffer: as many pages as the device takes pieces, as each page may be
 * a piece of its own.
 */
#define MAX_PAGES	1024UL

/* Between two looks at what the program does with its buffers, jiffies. */
#define FIRST_CHECK	1
#define LAST_CHECK	(HZ / 8)

/**
 * struct vcap_zerocopy - how a descriptor shares its buffers with the program
 * @file: the descriptor
 * @base: the model that fills them; set when it is attached
 * @zbufs: who owns each, in the order of vcap_file.memory; the descriptor's lock
 * @check: looks what the device and the program have done
 * @update: the device is to be told what the descriptor needs; its lock
 * @stopped: the descriptor is being detached: the device gets no buffer any
 *           more; its lock
 * @delay: until the next look, jiffies; the descriptor's lock
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

/* Which of the buffers is the hold buffer now. */
static unsigned int held(const struct vcap_file *file)
{
	return base_of(file)->hold(file) ==
	       vcap_zerocopy_packets(file->memory[1]);
}

static struct vcap_zbuf *held_zbuf(const struct vcap_file *file)
{
	return &file->zerocopy->zbufs[held(file)];
}

/* Make both buffers the kernel's, and zero their headers. */
static void init_zbufs(struct vcap_file *file)
{
	int i;

	for (i = 0; i < 2; i++)
		vcap_zbuf_init(&file->zerocopy->zbufs[i], file->memory[i]->map);
}

/* Take the hold buffer back, if the program has given it back. */
static void take(struct vcap_file *file)
{
	struct vcap_zerocopy *zc = file->zerocopy;

	if (!vcap_zbuf_take(held_zbuf(file)))
		return;
	base_of(file)->read_end(file, true);
	/* Packets need not come at once any more. */
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
 * Give the hold buffer to the program; @now: also if that takes a rotation of
 * packets that nobody waits for yet.
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
 * vcap_zerocopy_event() - the device may have used a buffer of a descriptor's
 * @file: the descriptor, whatever its buffers are
 *
 * Who waits in poll looks; if nobody does, the work looks for the program.
 * Called by the interrupt.
 */
void vcap_zerocopy_event(struct vcap_file *file)
{
	if (file->zerocopy && !wq_has_sleeper(&file->wait))
		mod_delayed_work(system_freezable_wq, &file->zerocopy->check, 0);
}

/** vcap_zerocopy_set_base() - choose who fills the buffers, if there are any */
void vcap_zerocopy_set_base(struct vcap_file *file,
			    const struct vcap_model *base)
{
	if (file->zerocopy)
		file->zerocopy->base = base;
}

/** vcap_zerocopy_max() - the largest buffer that a program may set, bytes */
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

/* Pin the buffers. */
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

/* Let the descriptor have buffers of another size. */
static void set_size(struct vcap_file *file, u32 size)
{
	mutex_lock(&file->lock);
	file->desc.size = size;
	mutex_unlock(&file->lock);
}

/**
 * vcap_zerocopy_set() - set the buffers, once; config is held
 * @file: the descriptor, in this mode
 * @zbuf: where the current process has them
 *
 * Return: 0; -EINVAL if they cannot be used, there are some, or the descriptor
 * is attached; -EFAULT if they are not the process's memory; -ENOBUFS if the
 * descriptor's user may have no more memory; -ENOMEM if the process may lock no
 * more, or there is none.
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

/** vcap_zerocopy_free() - free the buffers of a descriptor, if it has any */
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
 * vcap_zerocopy_rotate() - give the program what there is now; config is held
 * @file: the descriptor, in this mode
 * @zbuf: filled in with the buffer that the program has by this call: zeros if
 *        there is none
 *
 * Return: 0, or -EIO if the interface is gone and nothing is left.
 */
int vcap_zerocopy_rotate(struct vcap_file *file, struct bpf_zbuf *zbuf)
{
	bool had, has;
	int err = 0;

	memset(zbuf, 0, sizeof(*zbuf));
	/* Neither changes while config is held. */
	if (!file->dev)
		return 0;
	mutex_lock(&file->lock);
	had = held_zbuf(file)->assigned;
	mutex_unlock(&file->lock);
	/* What the device cannot be asked for now, a later call gets. */
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
	/* Or the work gives buffers to the device that it has just given back. */
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

	/* What the device has used for it is the program's now. */
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

/* It gets the hold buffer only, and that one at once. */
static u32 zerocopy_available(const struct vcap_file *file)
{
	return file->dev ? file->desc.hold_len : 0;
}

/*
 * A buffer that the device has used, but the program was not given yet, comes to
 * it without packets: it waits for this one before the other.
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
