#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lintian, of the release that the packages are for, reports nothing about them."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))
import packages  # noqa: E402
import tree  # noqa: E402

# Not checked, as libpcap's own texts have such errors.
FOREIGN = "spelling-error-in-binary"


def check(tap):
    """One result for each package, and one for a bad package."""
    system = packages.System(packages.release_to_test())
    for name in packages.NAMES:
        status, text = system.run(
            "lintian --allow-root --no-cfg --display-info --tag-display-limit 0 "
            f"--fail-on error,warning --suppress-tags {FOREIGN} "
            f"/srv/packages/{name}.deb")
        tap.ok(status == 0 and not text, f"{name}: lintian reports no error, "
               "warning or information", f"exit status {status}", text)
    status, text = system.run(
        "cd /srv && dpkg-deb -R packages/tools.deb bad && rm -r "
        "bad/usr/share/doc && dpkg-deb -b bad bad.deb >&2 && lintian "
        "--allow-root --no-cfg --fail-on error,warning bad.deb; "
        "result=$?; rm -r bad bad.deb; exit $result")
    tap.ok(status == 2 and "no-copyright-file" in text,
           "lintian reports an error for a package without documents", status,
           text)


tree.main(check)
