#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No text of this tree has unwanted white space, marks or private names."""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import tree  # noqa: E402

# Texts from elsewhere.
FOREIGN = ("LICENSES/",)

# None of these patterns matches its own text.
MARKS = r"\b(T[O]DO|F[I]XME|X[X]X)\b"
PRIVATE_PATHS = r"(?<![\w.)}\]-])/(home|work|Users)/"
REGISTRIES = re.compile(
    r"\b(deb|ftp|ftp\.[a-z]+|security|snapshot|archive|httpredir)\.debian\.org"
    r"|\barchive\.ubuntu\.com|\bpypi\.org|\bpythonhosted\.org|\bnpmjs\.(org|com)"
    r"|\bproxy\.golang\.org|\bcrates\.io|\bdocker\.(io|com)|\bghcr\.io"
    r"|\bquay\.io", re.IGNORECASE)


def spaces_at_end(name):
    """No line of a text file ends in white space"""
    return tree.matching_lines(name, r"[ \t\r\f\v]+$")


def last_line(name):
    """Every text file that is not empty ends in one newline"""
    body = tree.content(name)
    if not body or re.search(rb"[^\n]\n\Z", body):
        return []
    lines = body.count(b"\n") + 1
    return [f"{name}:{lines}: empty lines at the end, or no newline"]


def tabs(name):
    """Python and QEMU code have no tabs"""
    if tree.is_python(name) or (name.startswith("qemu-device/")
                                and tree.is_c(name)):
        return tree.matching_lines(name, r"\t")
    return []


def utf8(name):
    """All text files are UTF-8"""
    try:
        tree.content(name).decode("utf-8")
    except UnicodeDecodeError as error:
        line = tree.content(name)[:error.start].count(b"\n") + 1
        return [f"{name}:{line}: {error}"]
    return []


def marks(name):
    """No text file has a mark of unfinished work"""
    return tree.matching_lines(name, MARKS)


def private_paths(name):
    """No text file has a path of a private machine"""
    return tree.matching_lines(name, PRIVATE_PATHS)


def registries(name):
    """No text file has a host name of a package registry"""
    return tree.matching_lines(name, REGISTRIES)


def check(tap):
    """One result for each rule."""
    names = [name for name in tree.files()
             if tree.is_text(name) and not name.startswith(FOREIGN)]
    tap.ok(names, "the tree has text files")
    for rule in (spaces_at_end, last_line, tabs, utf8, marks, private_paths,
                 registries):
        found = [line for name in names for line in rule(name)]
        tap.ok(not found, rule.__doc__, *found)


tree.main(check)
