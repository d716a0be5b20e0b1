/* SPDX-License-Identifier: GPL-2.0 */
/* The capture devices by name, and the network interfaces of their NICs. */
#ifndef VCAP_INTERFACE_H
#define VCAP_INTERFACE_H

#include "device.h"
#include "vcap.h"

int vcap_interface_register(struct vcap_dev *dev);
void vcap_interface_unregister(struct vcap_dev *dev);
struct vcap_dev *vcap_interface_find(const char *name, bool *own_name);
int vcap_interface_name(struct vcap_dev *dev, const struct vcap_file *file,
			char *name);
int vcap_interface_listen(struct vcap_dev *dev, struct vcap_file *file,
			  const char *name);
bool vcap_interface_down(const struct vcap_file *file);
int vcap_interface_init(void);
void vcap_interface_exit(void);

#endif /* VCAP_INTERFACE_H */
