# SPDX-License-Identifier: GPL-2.0-or-later
"""An extcap for Wireshark: frames of running guests with a capture device.

main.py       the command line, and the capture
interfaces.py the interfaces and their options
tcpdump.py    arguments and messages of the guest's tcpdump
stream.py     checks the pcap file from the guest
vm.py         guests of images/vm
ssh.py        guests that can be reached by ssh
agent.py      guests with the QEMU guest agent
messages.py   messages of QMP and the guest agent
errors.py     exceptions

A source provides the frames of one guest. It has
  descriptors()  file descriptors to poll for input
  interval       seconds after which to call step() in any case, or None
  step()         returns available bytes of the pcap file; None at the end
  status         tcpdump's exit status; None while it runs, or if it is unknown
                 because the guest has ended
  text           tcpdump's messages, bytes
  close()        ends the guest's tcpdump
"""
