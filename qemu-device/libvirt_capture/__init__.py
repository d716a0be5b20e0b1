# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt-capture(8) consists of."""


class Failure(Exception):
    """What ends the program, as a text for the user."""
