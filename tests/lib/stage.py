# SPDX-License-Identifier: GPL-2.0-or-later
"""The set-up of most device tests: a NIC, a link to it, a capture device."""
import copy

import capture
import folders
import links
import nics
import qtest
import virtio_pci
import waiting


class Stage:
    """
    A machine with a NIC on a link to the test, and a capture device.

    capture_args is appended to the capture device's option; args are QEMU's options,
    and first those that must precede the devices. prepare(machine) prepares the
    machine for its drivers. Without a driver for the NIC (driver=None) the NIC may not
    receive frames. The capture device's driver accepts features. With adopt, another
    Stage from which this machine is migrated, the drivers' state is copied from it.
    """

    def __init__(self, *args, model=nics.MODEL, driver=nics.VirtioNet,
                 buffers=4, size=65536, capture_args="", adopt=None, first=(),
                 prepare=None, features=(virtio_pci.F_VERSION_1,), **keywords):
        option, self.link = links.link()
        device = capture.options()
        device[-1] += capture_args
        self.machine = qtest.Machine(
            *first, "-netdev", f"{option},id=n0", *nics.options(model), *device,
            *args, **keywords)
        if adopt:
            self._adopt(adopt)
            return
        if prepare:
            prepare(self.machine)
        self.nic = driver(self.machine) if driver else None
        self.cap = capture.Capture(self.machine, buffers, size,
                                   features=features)

    def _adopt(self, other):
        self.machine.next_memory = other.machine.next_memory
        self.nic, self.cap = [self._moved(driver)
                              for driver in (other.nic, other.cap)]

    def _moved(self, driver):
        """Returns a copy of a driver for the same device of this machine."""
        driver = copy.copy(driver)
        driver.machine = self.machine
        driver.queues = [copy.copy(queue) for queue in driver.queues]
        for queue in driver.queues:
            queue.device, queue.machine = driver, self.machine
            queue.free, queue.chains = queue.free[:], queue.chains.copy()
        return driver

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.machine.close()

    def save(self):
        """Stops the machine and saves its state; returns the file."""
        file = folders.scratch() / "state"
        self.machine.qmp("migrate", uri=f"exec:cat >{file}")
        waiting.wait_for(lambda: self.machine.qmp("query-migrate")
                         .get("status") == "completed", "migration")
        return file

    def moved(self, **keywords):
        """Migrates this machine; returns the Stage of the target, which runs."""
        target = Stage("-incoming", f"exec:cat {self.save()}", adopt=self,
                       **keywords)
        waiting.wait_for(lambda: target.machine.qmp("query-status")["running"],
                         "arrival")
        return target

    def receive(self, *frames):
        """Sends frames to the NIC, and waits until it has received them."""
        self.link.send(*frames)
        for frame in frames:
            got = self.nic.receive()
            assert got == frame, "the NIC got another frame"

    def send(self, *frames):
        """Sends frames from the NIC, and waits until the link has received them."""
        self.nic.send(*frames)
        for frame in frames:
            got = self.link.receive()
            assert got == frame, "the link got another frame"
