# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules of libvirt-capture(8)."""


class Failure(Exception):
    """An error that ends the program, with a message for the user."""
