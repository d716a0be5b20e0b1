# SPDX-License-Identifier: GPL-2.0-or-later
"""Common code of the fuzzers' tests: seeds, durations, and runs of libFuzzer."""
import os
import re
import subprocess
import sys

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)

TOP = os.path.abspath(os.path.join(LIB, "..", ".."))
OUT = os.path.join(TOP, "build", "tests", "fuzz")

# How long libFuzzer minimizes a failing input.
MINIMIZE_SECONDS = 10


def built(name):
    """The path of a file that the Makefile of this folder builds."""
    return os.path.join(OUT, name)


def seed():
    """The seed of random numbers, which is fixed unless FUZZ_SEED is set."""
    return os.environ.get("FUZZ_SEED", "1")


def seconds():
    """How long to fuzz."""
    return float(os.environ.get("FUZZ_SECONDS", "60"))


def kept(name):
    """Inputs in a file of corpus/, one a line, which earlier runs found."""
    with open(os.path.join(TOP, "tests", "fuzz", "corpus", name),
              encoding="ascii") as file:
        return [bytes.fromhex(line) for line in file
                if not line.startswith("#")]


def write_inputs(inputs, folder):
    """Write each input to a file."""
    os.makedirs(folder, exist_ok=True)
    for number, data in enumerate(inputs):
        with open(os.path.join(folder, f"seed{number}"), "wb") as file:
            file.write(data)


def run(name, *options, **environment):
    """Runs a libFuzzer program; returns a CompletedProcess with text."""
    return subprocess.run([built(name), *options], text=True, check=False,
                          capture_output=True, errors="replace",
                          env={**os.environ, **environment})


def minimized(name, failure):
    """Has libFuzzer minimize a failing input; returns the smallest one that it
    finds, and the program's output for it."""
    smallest = f"{failure}-minimized"
    run(name, "-minimize_crash=1", f"-max_total_time={MINIMIZE_SECONDS}",
        f"-exact_artifact_path={smallest}", failure)
    if not os.path.exists(smallest):
        smallest = failure
    done = run(name, smallest)
    return smallest, done.stdout + done.stderr[-6000:]


def libfuzzer(tap, name, inputs, longest, thing):
    """
    Runs a libFuzzer program and checks its results. The inputs are added to its
    corpus below build/.
    """
    corpus, failure = built(f"{name}-corpus"), built(f"{name}-failure")
    for old in (failure, f"{failure}-minimized"):
        if os.path.exists(old):
            os.remove(old)
    write_inputs(inputs, corpus)
    done = run(name, f"-seed={seed()}", f"-max_len={longest}",
               f"-max_total_time={max(1, round(seconds()))}",
               f"-exact_artifact_path={failure}", corpus)
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    found = re.findall(r" cov: (\d+) ft: (\d+) corp: (\d+)", done.stderr)
    print(f"# seed {seed()}, {runs[1] if runs else 'no'} executions"
          + (", cov: {} ft: {} corp: {}".format(*found[-1]) if found else ""))
    tap.ok(done.returncode == 0, f"{name}: no {thing} fails",
           *(minimized(name, failure) if os.path.exists(failure)
             else [done.stdout, done.stderr[-6000:]]))
    tap.ok(runs and int(runs[1]) > 10000,
           f"{name}: libFuzzer runs more than 10,000 inputs",
           done.stderr[-2000:])
