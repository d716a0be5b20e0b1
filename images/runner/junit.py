# SPDX-License-Identifier: GPL-2.0-or-later
"""The outcomes as JUnit XML, with those elements that most readers know."""
import os
import re
import tempfile
from xml.etree import ElementTree

from launcher.errors import Failure, describe

from .run import ERROR, FAILED, SKIPPED

# Characters that XML does not allow, not even as a character reference.
UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ELEMENTS = {FAILED: "failure", ERROR: "error", SKIPPED: "skipped"}


def fit(text):
    """Replaces such characters."""
    return UNFIT.sub("?", text)


def check_place(path):
    """Fails, before the tests run, if the file cannot be written."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise Failure(f"--junit {path}: cannot write to the folder {folder}")
    if os.path.isdir(path):
        raise Failure(f"--junit {path}: a folder")


def document(runs):
    """Makes the document. Runs that a signal ended have no outcome."""
    ended = [run for run in runs if run.outcome]
    counts = {"tests": str(len(ended)), **{
        name: str(sum(run.outcome.kind == kind for run in ended))
        for kind, name in ((FAILED, "failures"), (ERROR, "errors"),
                           (SKIPPED, "skipped"))}}
    counts["time"] = f"{sum(run.outcome.seconds for run in ended):.3f}"
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite",
                                   {"name": "images/test", **counts})
    for run in ended:
        outcome = run.outcome
        case = ElementTree.SubElement(suite, "testcase", {
            "name": fit(run.name), "file": fit(run.test.path),
            "classname": fit(run.cell.name) or "guest",
            "time": f"{outcome.seconds:.3f}"})
        if outcome.kind in ELEMENTS:
            ElementTree.SubElement(case, ELEMENTS[outcome.kind],
                                   {"message": fit(outcome.why)})
        ElementTree.SubElement(case, "system-out").text = fit(outcome.output)
    ElementTree.indent(root)
    return root


def write(path, runs):
    """Writes the file, replacing an old one when the new one is complete."""
    try:
        with tempfile.NamedTemporaryFile(
                dir=os.path.dirname(path) or ".", prefix=".junit-",
                delete=False) as file:
            try:
                ElementTree.ElementTree(document(runs)).write(
                    file, encoding="utf-8", xml_declaration=True)
                file.flush()
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(file.name, 0o666 & ~mask)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise Failure(f"--junit {path}: {describe(error)}") from None
