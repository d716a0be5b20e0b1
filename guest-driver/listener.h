/* SPDX-License-Identifier: GPL-2.0 */
/* Listeners: attached descriptors, which receive a device's frames. */
#ifndef VCAP_LISTENER_H
#define VCAP_LISTENER_H

#include "vcap.h"

u32 vcap_direction_flags(u32 direction);
void vcap_listener_add_needs(struct vcap_file *file, struct vcap_needs *needs);
struct vcap_dev *vcap_listener_dev(struct vcap_file *file);
bool vcap_listener_is_live(struct vcap_file *file);
int vcap_listener_sync(struct vcap_file *file, enum vcap_sync how);
void vcap_listener_catch_up(struct vcap_file *file);
void vcap_listener_update(struct vcap_file *file);
bool vcap_listener_readable(const struct vcap_file *file);
void vcap_listener_wake(struct vcap_file *file);
void vcap_listener_share(struct vcap_file *file);
void vcap_listener_deliver(struct vcap_file *file,
			   const struct vcap_record *recs, unsigned int n);
void vcap_listener_add_drops(struct vcap_file *file, u32 n);
bool vcap_listeners_orphan(struct list_head *listeners,
			   const struct net_device *netdev);
void vcap_listeners_end(struct list_head *listeners, bool all);

#endif /* VCAP_LISTENER_H */
