#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The counters that processes under the library leave in the directory $KTLS_STATS, as
`ktls stat` of $KTLS_BUILD_DIR tells them.

stats.py mark DIRECTORY
    prints them, summed over the processes.
stats.py expect DIRECTORY MARK CONDITION...
    waits until the conditions hold for what was counted since MARK, a file with the output
    of mark. A condition is NAME>=N or NAME==N; names are those of the counters without
    kern.ipc.tls.stats, tx.SUITE and rx.SUITE for the directions that were turned on, and
    processes.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import time

PATIENCE = 10  # seconds; a peer may be done before the sender has counted


def _ask_tool(path):
    """What `ktls stat` says; an outsider, so that it cannot count for anybody."""
    tool = pathlib.Path(os.environ["KTLS_BUILD_DIR"]) / "ktls"
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "KTLS_STATS")}
    out = subprocess.run(
        [tool, "stat", "--json", path], env=env, check=True, stdout=subprocess.PIPE
    )
    return json.loads(out.stdout)


def read(path):
    """The sums over all processes that left counters there."""
    told = _ask_tool(path)
    counters = collections.Counter(processes=len(told["processes"]))
    for name, value in told["total"]["counters"].items():
        counters[re.sub(r"^kern\.ipc\.tls\.(stats\.)?", "", name)] = value
    for direction, prefix in (("send", "tx"), ("receive", "rx")):
        for suite, value in told["total"][direction]["suites"].items():
            counters[f"{prefix}.{suite}"] = value
    return counters


def own():
    """The counters of this process."""
    path = pathlib.Path(os.environ["KTLS_STATS"]) / f"ktls.{os.getpid()}"
    return read(path) if path.exists() else collections.Counter()


def _unmet(directory, before, conditions):
    now = read(directory)
    unmet = []
    for condition in conditions:
        name, relation, wanted = re.fullmatch(r"(.+?)(>=|==)(\d+)", condition).groups()
        if not name.startswith(("tx.", "rx.")) and name not in now:
            raise ValueError(f"no counter {name}")
        value = now[name] - before[name]
        if value != int(wanted) if relation == "==" else value < int(wanted):
            unmet.append(f"{condition}, but it is {value}")
    return unmet


def expect(directory, mark, conditions):
    """What does not hold, after having waited for it."""
    before = collections.Counter(json.loads(pathlib.Path(mark).read_text()))
    deadline = time.monotonic() + PATIENCE
    unmet = _unmet(directory, before, conditions)
    while unmet and time.monotonic() < deadline:
        time.sleep(0.02)
        unmet = _unmet(directory, before, conditions)
    return unmet


def main():
    verb, directory, *more = sys.argv[1:]
    if verb == "mark":
        print(json.dumps(read(directory)))
        return 0
    unmet = expect(directory, more[0], more[1:])
    for line in unmet:
        print(line, file=sys.stderr)
    return 1 if unmet else 0


if __name__ == "__main__":
    sys.exit(main())
