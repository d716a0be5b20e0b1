/* SPDX-License-Identifier: GPL-2.0 */
/* LISTEN for the shared queue: the combined requirements of its listeners. */
#ifndef VCAP_LISTEN_H
#define VCAP_LISTEN_H

#include "device.h"
#include "vcap.h"

int vcap_listen_update(struct vcap_dev *dev);
int vcap_listen_resend(struct vcap_dev *dev);
int vcap_listen_add(struct vcap_dev *dev, struct vcap_file *file,
		    const struct net_device *netdev);
void vcap_listen_del(struct vcap_dev *dev, struct vcap_file *file);

#endif /* VCAP_LISTEN_H */
