# SPDX-License-Identifier: GPL-2.0-or-later
"""The launcher: from the command line to the exit status."""
import contextlib
import os
import shutil
import signal
import stat
import termios

from . import bootstrap, captures, entry, forwards, gets, live, own, qemu
from . import signals, streams, workspace
from .console import Console
from .errors import Failure, Interrupted, describe
from .files import addition_settings
from .guest import Guest
from .image import write_initrd
from .judgement import FAILED, judge
from .options import DEFAULT_BOOT_TIMEOUT, DEFAULT_TIMEOUT, parse
from .options import time_scale
from .shares import check_kernel, served
from .streams import say


def main(words):
    """Runs one guest; returns the exit status."""
    streams.reserve()
    try:
        options = parse(words)
        if not options.command and not os.isatty(0):
            # Without a terminal, the shell is run as a COMMAND.
            options.command = ["sh"]
        options.session = bool(options.ssh and not options.command)
        if options.session:
            # Keeps the guest running until ssh has ended.
            options.command = ["sleep", "1000000000"]
        caught = signals.Signals()
        caught.catch()
        status = launch_in_folder(options, caught)
        return status if caught.number is None else 128 + caught.number
    except Interrupted as error:
        return 128 + error.number
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except Failure as error:
        say(error)
    except OSError as error:
        say(describe(error))
    return FAILED


def launch_in_folder(options, caught):
    """Launches with a temporary folder; restores the terminal's settings."""
    workspace.clear(workspace.temporary())
    folder = workspace.Workspace(workspace.temporary())
    saved = None if options.command else terminal_state()
    try:
        # A signal is handled at the end of this block, when the folder's name is
        # known and it can be removed.
        with signals.blocked():
            path = folder.__enter__()
        return launch(options, caught, path)
    finally:
        # A signal must not interrupt the cleanup.
        signals.ignore()
        folder.__exit__()
        restore_terminal(saved)


def terminal_state():
    """The terminal's settings, which QEMU changes for -chardev stdio."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def restore_terminal(saved):
    """Restores the settings, which QEMU does not if it was killed."""
    try:
        if saved is not None:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
    except termios.error:
        pass    # the terminal has been closed


def guest_settings(options, wanted, ports):
    """The settings for init or the runner; see images/guest/init/config.c."""
    settings = [] if options.disk else list(nic_settings(options))
    if options.disk or options.root:
        settings += addition_settings(options.add)
    settings += [("get", get.path) for get in wanted]
    settings += [setting for share in served(options)
                 for setting in share.settings()]
    settings += [("env", variable) for variable in options.env]
    if options.keep:
        settings.append(("keep", 1))
    if not options.no_capture:
        settings.append(("capture", 1))
    settings.append(("patience", round(30 * time_scale())))
    if "stdin" in ports:
        settings.append(("stdin", 1))
    if "live" in ports:
        settings.append(("live", 1))
    if options.command:
        if "stderr" not in ports:
            settings.append(("merged", 1))
        settings += [("arg", word) for word in options.command]
    else:
        size = shutil.get_terminal_size()
        settings += [("term", os.environ.get("TERM", "linux")),
                     ("rows", size.lines), ("columns", size.columns)]
    return settings


def live_description(options):
    """The description of the guest for viewers."""
    has_nic = [model.split(",")[0] != "none" for model in options.nic]
    return {"pid": os.getpid(), "command": options.command,
            "nics": [f"eth{number}" for number in range(sum(has_nic))
                     if not options.disk]
            + [f"capture{number}" for number in range(len(has_nic))]}


def nic_settings(options):
    """The settings of the NICs, which init renames and sets up."""
    for number, model in enumerate(options.nic):
        if model.split(",")[0] == "none":
            continue
        yield "nic", qemu.nic_mac(model, number)[0]
        if options.netdev[number].split(",")[0] == "user":
            yield "dhcp", 1


def port_names(options, wanted):
    """The names of the guest's ports."""
    names = ["result"]
    if options.command:
        names.append("stdout")
        if not streams.are_one_file():
            names.append("stderr")
        if streams.stdin_is_worth_passing():
            names.append("stdin")
    if not options.no_capture:
        names.append("live")
    if wanted:
        names.append("follow")
    return names + [f"get{get.number}" for get in wanted]


def set_limits(options):
    """Sets the time limits, in seconds."""
    is_attended = not options.command or options.session or options.gdb
    for name, default in (("timeout", DEFAULT_TIMEOUT),
                          ("boot_timeout", DEFAULT_BOOT_TIMEOUT)):
        value = getattr(options, name)
        if value is None:
            value = 0 if is_attended else default
        setattr(options, name, value * time_scale())


def open_log(options, stack):
    """Opens the file of --console-log; returns its descriptor or None."""
    if options.console_log is None:
        return None
    try:
        log = stack.enter_context(open(options.console_log, "wb", buffering=0))
    except OSError as error:
        raise Failure(f"--console-log {options.console_log}: {error.strerror}"
                      ) from None
    return log.fileno()


def launch(options, caught, folder):
    """Boots the guest; returns the exit status."""
    set_limits(options)
    with contextlib.ExitStack() as stack:
        return launch_with(options, caught, folder, open_log(options, stack))


def launch_with(options, caught, folder, log):
    """Boots the guest. log: the descriptor of the console's log, or None."""
    captures.make_folder(options.capture_dir)
    wanted = gets.make_gets(options, folder)
    for get in wanted:
        get.clear()
    names = port_names(options, wanted)
    settings = guest_settings(options, wanted, names)
    way_in = None
    if options.disk:
        way_in = entry.make_entry(options, time_scale())
        boot = disk_guest(options, folder, settings)
    else:
        boot = own_guest(options, folder, settings)

    console = Console(of_system=bool(options.disk), log=log)
    follower = gets.Follower(wanted) if wanted else None
    sinks = {"follow": follower}
    if "live" in names:
        sinks["live"] = live.Live(folder, live_description(options))
    sinks.update((f"get{get.number}", get.archive) for get in wanted)
    if way_in:
        sinks.update(way_in.sinks(console))
        names += way_in.ports()
    ssh_port = way_in and way_in.ssh_port
    with forwards.reserved(options.port, ssh_port), caught.deferred():
        with Guest({name: sinks.get(name) for name in names}, console,
                   way_in) as guest:
            guest.start(qemu.command_line(options, boot, guest.console_path(),
                                          guest.descriptors(),
                                          [ssh_port] if ssh_port else []),
                        not options.command, qemu.inherited(options), folder)
            if options.gdb:
                options.gdb.announce()
            if "stdin" in names:
                guest.feed_stdin()
            if way_in:
                guest.feed_file("setup", f"{folder}/setup")
                guest.feed_file("runner", way_in.runner)
                way_in.start()
            guest.run(options.timeout, caught, bool(wanted),
                      options.boot_timeout)
        if guest.status is None:
            remove_socket(options.qmp)
            remove_socket(options.gdb and options.gdb.socket)
        return judge(options, guest, console, wanted,
                     (follower, sinks.get("live")))


def own_guest(options, folder, settings):
    """Makes the initramfs of a guest without --disk; returns QEMU's options."""
    initrd = f"{folder}/initrd"
    with own.chosen_image(options, folder) as (kernel, image):
        check_kernel(served(options), image)
        write_initrd(initrd, image, settings, options.add, folder,
                     in_places=not options.root)
    return qemu.boot_options(kernel, initrd, qemu.kernel_parameters(options))


def disk_guest(options, folder, settings):
    """Makes the data for a guest with --disk; returns QEMU's options."""
    bootstrap.write_setup(f"{folder}/setup", settings, options.add, folder)
    return options.disk.options(qemu.quote, folder) \
        + options.disk.kernel_options(qemu.kernel_parameters(options))


def remove_socket(path):
    """Removes the socket that a killed QEMU left."""
    try:
        if path and stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        pass
