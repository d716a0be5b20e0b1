# SPDX-License-Identifier: GPL-2.0-or-later
"""An extcap for Wireshark: frames of running guests with a capture device.

main.py       what Wireshark asks for, and the capture
interfaces.py the interfaces, and their options
tcpdump.py    what the guest's tcpdump is told, and what it says
stream.py     a check of the pcap file that comes
vm.py         guests of images/vm
ssh.py        guests that can be reached by ssh
agent.py      guests with the QEMU guest agent
messages.py   QMP's and the agent's messages
errors.py     what ends a capture

A source is what frames come from. It has
  descriptors()  to be read from, for select.poll()
  interval       seconds after which step() is to be called anyway, or None
  step()         takes what there is: bytes of a pcap file; None at the end
  status         of tcpdump, None while it runs and if the guest has gone
  text           what tcpdump has said, bytes
  close()        ends the guest's tcpdump
"""
