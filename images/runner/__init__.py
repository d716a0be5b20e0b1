# SPDX-License-Identifier: GPL-2.0-or-later
"""The test runner, images/test: runs each test in a guest of its own, with
images/vm.

main.py      from the command line to the exit status
options.py   the command line
tests.py     test files and the options in them
matrix.py    combinations of kernels, QEMUs and options: --matrix
run.py       a test with one combination: its guest, its outcome, its artifacts
loop.py      runs in parallel, and the signals that end them
report.py    the outcomes as TAP, and the progress on a terminal
junit.py     the outcomes as JUnit XML
"""
