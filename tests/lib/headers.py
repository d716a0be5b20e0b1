# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles small sources, to test that headers are self-contained."""
import concurrent.futures
import os

import tree

WARNINGS = ("-Wall", "-Wextra", "-pedantic", "-Werror")
LANGUAGES = {
    "C99": ("gcc", "-x", "c", "-std=c99"),
    "GNU C11": ("gcc", "-x", "c", "-std=gnu11"),
    "C++": ("g++", "-x", "c++"),
}


def complaints(language, source, *flags):
    """Returns the compiler's messages about a source."""
    status, lines = tree.run(*LANGUAGES[language], *WARNINGS,
                             "-fsyntax-only", *flags, "-",
                             input=source.encode())
    if status and not lines:
        lines = [f"{language}: exit status {status}"]
    return lines


def including(names, body="extern int not_empty;"):
    """Returns a source that includes headers in this order, followed by body."""
    return "".join(f"#include <{name}>\n" for name in names) + body + "\n"


def compile_all(tap, jobs):
    """
    One result for each (name, language, source, flags...).

    A failure shows the compiler's messages and the source.
    """
    jobs = list(jobs)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: complaints(*job[1:]), jobs))
    for (name, language, source, *_), lines in zip(jobs, results):
        tap.ok(not lines, f"{name}: {language}", *lines[:12],
               "in this source:", source)
