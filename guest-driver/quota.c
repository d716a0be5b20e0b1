// SPDX-License-Identifier: GPL-2.0
/*
 * Limits of each user: descriptors, and memory for their buffers.
 *
 * A descriptor and its buffers are charged to the real user ID of the process
 * that opened it, in the initial user namespace, whoever uses it later. As a
 * user with a range of user IDs (subuid(5)) could open more with each of them,
 * a second limit applies to all descriptors together that were opened without
 * CAP_SYS_RESOURCE.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "quota.h"
#include "usage.h"

/* Limit of the parameter, and of all descriptors opened without privilege. */
#define MAX_DESCRIPTORS	4096

static unsigned int descriptors = 256;

static int set_descriptors(const char *value, const struct kernel_param *param)
{
	return param_set_uint_minmax(value, param, 1, MAX_DESCRIPTORS);
}

static const struct kernel_param_ops descriptors_ops = {
	.set = set_descriptors,
	.get = param_get_uint,
};

module_param_cb(descriptors, &descriptors_ops, &descriptors, 0644);
MODULE_PARM_DESC(descriptors, "Descriptors of /dev/bpf that a user can have open (default 256, at most 4096)");

/* Largest buffer size that BIOCSBLEN sets, bytes (net.bpf.maxbufsize). */
unsigned int vcap_max_buffer = 4194304;

/* Limit of the buffers of a user, bytes (net.bpf.maxusermem). */
unsigned long vcap_max_memory;

/**
 * struct vcap_user - a user with open descriptors
 * @node: in the list of all users; protected by users_lock
 * @uid: the user ID
 * @usage: usage of all descriptors of the user; protected by users_lock
 */
struct vcap_user {
	struct list_head node;
	kuid_t uid;
	struct vcap_usage usage;
};

static DEFINE_MUTEX(users_lock);
static LIST_HEAD(users);		/* protected by users_lock */
/* Usage of descriptors opened without CAP_SYS_RESOURCE; users_lock. */
static struct vcap_usage shared;

/* Limit of the buffers of all users together, bytes: a quarter of memory. */
static u64 shared_memory(void)
{
	return ((u64)totalram_pages() << PAGE_SHIFT) / 4;
}

/* Find the entry of a user, or allocate one. NULL: no memory. */
static struct vcap_user *get_entry(kuid_t uid)
{
	struct vcap_user *user;

	lockdep_assert_held(&users_lock);
	list_for_each_entry(user, &users, node)
		if (uid_eq(user->uid, uid))
			return user;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return NULL;
	user->uid = uid;
	list_add(&user->node, &users);
	return user;
}

/* Free the entry of a user without descriptors. */
static void put_entry(struct vcap_user *user)
{
	lockdep_assert_held(&users_lock);
	if (user->usage.descriptors)
		return;
	list_del(&user->node);
	kfree(user);
}

/* Charge a user, unless a limit would be exceeded. */
static int charge(struct vcap_user *user, bool privileged,
		  const struct vcap_usage *more)
{
	const struct vcap_usage of_user = {
		.descriptors = READ_ONCE(descriptors),
		.memory = READ_ONCE(vcap_max_memory),
	}, of_all = {
		.descriptors = MAX_DESCRIPTORS,
		.memory = shared_memory(),
	};

	lockdep_assert_held(&users_lock);
	if (!vcap_usage_add(&user->usage, more, &of_user))
		return -ENOBUFS;
	if (privileged || vcap_usage_add(&shared, more, &of_all))
		return 0;
	vcap_usage_sub(&user->usage, more);
	return -ENOBUFS;
}

static void uncharge(struct vcap_file *file, const struct vcap_usage *less)
{
	lockdep_assert_held(&users_lock);
	vcap_usage_sub(&file->user->usage, less);
	if (!file->privileged)
		vcap_usage_sub(&shared, less);
}

/**
 * vcap_quota_open() - charge the current user for a new descriptor
 * @file: the descriptor
 *
 * Return: 0; -ENOBUFS if a limit is reached; -ENOMEM.
 */
int vcap_quota_open(struct vcap_file *file)
{
	static const struct vcap_usage one = { .descriptors = 1 };
	int err = -ENOMEM;

	file->privileged = ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
	mutex_lock(&users_lock);
	file->user = get_entry(current_uid());
	if (file->user) {
		err = charge(file->user, file->privileged, &one);
		put_entry(file->user);
	}
	mutex_unlock(&users_lock);
	return err;
}

/** vcap_quota_close() - uncharge a descriptor; its buffers are uncharged */
void vcap_quota_close(struct vcap_file *file)
{
	static const struct vcap_usage one = { .descriptors = 1 };

	mutex_lock(&users_lock);
	uncharge(file, &one);
	put_entry(file->user);
	mutex_unlock(&users_lock);
}

/* Return the memory of both buffers, in whole pages. */
static struct vcap_usage buffers_of(const struct vcap_file *file)
{
	return (struct vcap_usage){
		.memory = 2 * (u64)PAGE_ALIGN(file->desc.size),
	};
}

/**
 * vcap_quota_charge() - charge the memory of a descriptor's buffers
 * @file: the descriptor, with the size of its buffers set
 *
 * Return: 0, or -ENOBUFS if a limit would be exceeded.
 */
int vcap_quota_charge(struct vcap_file *file)
{
	struct vcap_usage more = buffers_of(file);
	int err;

	mutex_lock(&users_lock);
	err = charge(file->user, file->privileged, &more);
	mutex_unlock(&users_lock);
	return err;
}

/** vcap_quota_uncharge() - uncharge the buffers, before their size changes */
void vcap_quota_uncharge(struct vcap_file *file)
{
	struct vcap_usage less = buffers_of(file);

	mutex_lock(&users_lock);
	uncharge(file, &less);
	mutex_unlock(&users_lock);
}

/**
 * vcap_quota_init() - set the default limit that depends on the memory size
 *
 * It allows 64 descriptors with buffers of 512 KiB, the size that libpcap sets,
 * but at most half of what all users may have together.
 */
void vcap_quota_init(void)
{
	vcap_max_memory = min_t(u64, SZ_64M, shared_memory() / 2);
}
