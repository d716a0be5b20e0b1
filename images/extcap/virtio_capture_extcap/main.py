# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line that Wireshark uses, see extcap(4), and the capture."""
import argparse
import errno
import os
import re
import select
import signal
import sys

from . import tcpdump
from .errors import Ended, Failure, describe, plain
from .interfaces import INTERFACES, sentence
from .stream import Stream

FAILED = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
VERSION = "1.0"
MANUAL = "virtio-capture-extcap(1)"


class Parser(argparse.ArgumentParser):
    """argparse that raises Failure."""

    def error(self, message):
        raise Failure(message)


def truth(text):
    """Parse a boolean, in the forms that Wireshark and users write."""
    if re.fullmatch("true|yes|1", text, re.IGNORECASE):
        return True
    if re.fullmatch("false|no|0", text, re.IGNORECASE):
        return False
    raise argparse.ArgumentTypeError(f"{plain(text)!r} is neither true nor false")


def make_parser(interface):
    """Return the parser, with the options of the interface, which may be None."""
    parser = Parser(prog="virtio-capture-extcap", allow_abbrev=False,
                    description="An extcap, run by Wireshark: captures the frames "
                    f"of a guest. See {MANUAL}.")
    add = parser.add_argument
    for name in ("extcap-interfaces", "extcap-dlts", "extcap-config", "capture",
                 "extcap-cleanup-postkill"):
        add(f"--{name}", action="store_true")
    for name in ("extcap-interface", "extcap-capture-filter", "fifo",
                 "extcap-reload-option", "extcap-control-in",
                 "extcap-control-out"):
        add(f"--{name}", default="")
    add("--extcap-version", nargs="?", default="")
    for option in interface.options if interface else ():
        if option.type == "boolflag":
            add(f"--{option.name}", action="store_true")
        else:
            add(f"--{option.name}", default=option.default)
    return parser


def join_values(parser, words):
    """Join "--option value" with "=", so that a value may start with "-"."""
    takes_value = {name for action in parser._actions
                   for name in action.option_strings if action.nargs is None}
    words = list(words)
    while words:
        word = words.pop(0)
        if word in takes_value and words:
            word += "=" + words.pop(0)
        yield word


def parse(words):
    """Return the options and the interface, which may be None."""
    first = make_parser(None)
    name = first.parse_known_args(list(join_values(first, words))
                                  )[0].extcap_interface
    if name and name not in INTERFACES:
        raise Failure(f"interface {plain(name)!r}: not one of "
                      f"{', '.join(INTERFACES)}")
    interface = INTERFACES.get(name)
    parser = make_parser(interface)
    options = parser.parse_args(list(join_values(parser, words)))
    if interface:
        try:
            options.promiscuous = truth(options.promiscuous)
        except argparse.ArgumentTypeError as error:
            raise Failure(f"promiscuous mode: {error}") from None
    return options, interface


def list_interfaces():
    """Return the lines for --extcap-interfaces."""
    yield sentence("extcap", version=VERSION,
                   display="Guests with virtio-capture")
    for name, interface in INTERFACES.items():
        yield sentence("interface", value=name, display=interface.display)


def list_options(interface):
    """Return the lines for --extcap-config."""
    for number, option in enumerate(interface.options):
        yield from option.arg(number)


def list_values(interface, name):
    """Return the lines for --extcap-reload-option: the values of an option."""
    for number, option in enumerate(interface.options):
        if option.name == name:
            yield from list(option.arg(number))[1:]


def fifo_name(words):
    """Return the FIFO to write to, even if other words are invalid."""
    parser = make_parser(None)
    return parser.parse_known_args(list(join_values(parser, words)))[0].fifo


def on_signal(_number, _frame):
    """Handle the signal with which Wireshark ends a capture."""
    raise Ended


def write_all(fifo, data):
    """Write all data to the FIFO."""
    try:
        while data:
            data = data[os.write(fifo, data):]
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise Ended from None
        raise Failure(f"cannot write to Wireshark: {describe(error)}") from None


def relay(source, fifo):
    """Forward frames until either end is closed."""
    stream = Stream()
    poll = select.poll()
    poll.register(fifo, 0)      # for POLLERR when the reader has closed it
    while True:
        there = source.descriptors()
        for descriptor in there:
            poll.register(descriptor, select.POLLIN)
        events = poll.poll(source.interval and source.interval * 1000)
        for descriptor in there:
            poll.unregister(descriptor)
        if any(descriptor == fifo for descriptor, _ in events):
            return
        data = source.step()
        if data is None:
            break
        write_all(fifo, stream.feed(data))
    if source.status:
        raise Failure(tcpdump.complaint(source.text, source.status))
    if not stream.has_begun:
        raise Failure("the guest ended before the capture began")


def open_fifo(path):
    """Open the FIFO that Wireshark reads. This comes before other checks, as
    tshark 4.0 notices the end of an extcap only if the FIFO was opened."""
    if not path:
        raise Failure("--capture needs --fifo")
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Failure(f"{plain(path)}: {describe(error)}") from None


def capture(options, interface, fifo):
    """Capture until either end is closed."""
    try:
        source = interface.source(options)
        try:
            relay(source, fifo)
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            source.close()
    except Ended:
        pass


def run(words):
    """Run the command and return the lines to print."""
    fifo = None
    if "--capture" in words:
        for number in SIGNALS:
            signal.signal(number, on_signal)
        fifo = open_fifo(fifo_name(words))
    options, interface = parse(words)
    if options.extcap_interfaces:
        return list_interfaces()
    if not interface:
        raise Failure("this is an extcap, for Wireshark to run from its folder "
                      f"of extcaps: see {MANUAL}")
    if options.extcap_dlts:
        return [sentence("dlt", number=1, name="EN10MB", display="Ethernet")]
    if options.extcap_reload_option:
        return list_values(interface, options.extcap_reload_option.lstrip("-"))
    if options.extcap_config:
        return list_options(interface)
    if options.capture:
        capture(options, interface, fifo)
    # Otherwise Wireshark wants a filter checked, which only the guest can do.
    return ()


def main(words):
    """Run the program and return its exit status."""
    try:
        for line in run(words):
            print(line)
        return 0
    except Ended:
        return 0
    except Failure as error:
        print(f"virtio-capture-extcap: {error}", file=sys.stderr)
        return FAILED
