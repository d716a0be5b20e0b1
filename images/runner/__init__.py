# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner of tests, images/test: each test in a guest of its own, by
images/vm.

main.py      the order of events, the exit status
options.py   the command line
tests.py     test files and the options in them
matrix.py    kernels, QEMUs and so on that each test is run with
run.py       one test on one of those: its guest, its outcome, its artifacts
loop.py      several of these at a time, and the signals that end them
report.py    TAP, and the progress on a terminal
junit.py     the same outcomes as JUnit's XML
"""
