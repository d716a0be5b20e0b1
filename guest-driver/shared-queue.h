/* SPDX-License-Identifier: GPL-2.0 */
/* The shared queue: its frames go to all listeners without a listener queue. */
#ifndef VCAP_SHARED_QUEUE_H
#define VCAP_SHARED_QUEUE_H

#include "device.h"

void vcap_shared_init(struct vcap_dev *dev);
void vcap_shared_start(struct vcap_dev *dev, struct virtqueue *vq);
int vcap_shared_get(struct vcap_dev *dev);
void vcap_shared_fill(struct vcap_dev *dev);
void vcap_shared_put(struct vcap_dev *dev);
int vcap_shared_sync(struct vcap_dev *dev);
void vcap_shared_interrupt(struct vcap_dev *dev);
void vcap_shared_stop(struct vcap_dev *dev);
void vcap_shared_add_waiter(struct vcap_dev *dev, struct vcap_file *file);
void vcap_shared_del_waiter(struct vcap_dev *dev, struct vcap_file *file);
bool vcap_shared_completed(const struct vcap_dev *dev);
bool vcap_shared_fetch(struct vcap_dev *dev);
void vcap_shared_orphan(struct vcap_dev *dev, const struct net_device *netdev);
void vcap_shared_refresh(struct vcap_dev *dev);

#endif /* VCAP_SHARED_QUEUE_H */
