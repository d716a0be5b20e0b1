# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiling small sources, to see that headers stand on their own."""
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
    """What the compiler says about a source; nothing when all is well."""
    status, lines = tree.run(*LANGUAGES[language], *WARNINGS,
                             "-fsyntax-only", *flags, "-",
                             input=source.encode())
    if status and not lines:
        lines = [f"{language}: exit status {status}"]
    return lines


def including(names, body="extern int not_empty;"):
    """A source that includes headers in this order, and then says body."""
    return "".join(f"#include <{name}>\n" for name in names) + body + "\n"


def compile_all(tap, jobs):
    """
    One result for each (name, language, source, flags...).

    A failure shows the compiler's words and the source.
    """
    jobs = list(jobs)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: complaints(*job[1:]), jobs))
    for (name, language, source, *_), lines in zip(jobs, results):
        tap.ok(not lines, f"{name}: {language}", *lines[:12],
               "in this source:", source)
