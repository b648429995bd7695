#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The counters that processes under the library leave in the directory $KTLS_STATS.

stats.py mark DIRECTORY
    prints them, summed over the processes.
stats.py expect DIRECTORY MARK CONDITION...
    waits until the conditions hold for what was counted since MARK, a file with the output
    of mark. A condition is NAME>=N or NAME==N; names are those of the counters without
    kern.ipc.tls.stats, tx.SUITE and rx.SUITE for the directions that were turned on, and
    processes.

What is where in a file is read from the sources, so that it is never out of date.
"""

import os
import pathlib
import re
import struct
import sys
import time

PATIENCE = 10  # seconds; a peer may be done before the sender has counted


def _source(name):
    root = os.environ.get("KTLS_SOURCE_DIR") or pathlib.Path(__file__).parents[2]
    return (pathlib.Path(root) / "src" / name).read_text()


def _layout():
    text = _source("stats.h")
    magic = int(re.search(r"STATS_MAGIC\s+(0x[0-9a-f]+)", text)[1], 16)
    version = int(re.search(r"STATS_VERSION\s+(\d+)", text)[1])
    names = [
        re.sub(r"^stats\.", "", name)
        for name in re.findall(r'\bC\([A-Z0-9_]+,\s*"([^"]+)"', text)
    ]
    rows = dict(re.findall(r'\((SUITE_\w+), "([^"]+)"', _source("suite.c")))
    ids = re.search(r"enum suite_id \{(.*?)\}", _source("suite.h"), re.S)[1]
    suites = [rows.get(i, i) for i in re.findall(r"SUITE_\w+", ids)]
    suites.remove("SUITE_COUNT")
    for direction in ("tx", "rx"):
        names += [f"{direction}.{suite}" for suite in suites]
    return magic, version, names


MAGIC, VERSION, NAMES = _layout()
SUITES = sum(name.startswith("tx.") for name in NAMES)
FORMAT = f"<QII{len(NAMES)}Q{16 * SUITES}x"  # behind them: the engines' names


def read_file(path):
    """The counters of one process; None while it is still being set up."""
    data = pathlib.Path(path).read_bytes()
    if len(data) < 8 or data[:8] == bytes(8):
        return None
    if len(data) != struct.calcsize(FORMAT):
        raise ValueError(f"{path}: {len(data)} bytes, not {struct.calcsize(FORMAT)}")
    magic, version, _, *values = struct.unpack(FORMAT, data)
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError(f"{path}: magic {magic:x}, version {version}")
    return dict(zip(NAMES, values))


def read_directory(directory):
    """The sums over all processes."""
    total = dict.fromkeys([*NAMES, "processes"], 0)
    for path in pathlib.Path(directory).glob("ktls.*"):
        counters = read_file(path)
        if counters is None:
            continue
        total["processes"] += 1
        for name, value in counters.items():
            # Gauges go down by adding 2^64 - 1.
            total[name] = (total[name] + value) % 2**64
    return total


def own():
    """The counters of this process."""
    path = pathlib.Path(os.environ["KTLS_STATS"]) / f"ktls.{os.getpid()}"
    counters = read_file(path) if path.exists() else None
    return counters or dict.fromkeys(NAMES, 0)


def _unmet(directory, before, conditions):
    total = read_directory(directory)
    unmet = []
    for condition in conditions:
        name, relation, wanted = re.fullmatch(r"(.+?)(>=|==)(\d+)", condition).groups()
        value = total[name] - before[name]
        if value != int(wanted) if relation == "==" else value < int(wanted):
            unmet.append(f"{condition}, but it is {value}")
    return unmet


def expect(directory, mark, conditions):
    """What does not hold, after having waited for it."""
    with open(mark, encoding="ascii") as file:
        before = {name: int(value) for name, value in map(str.split, file)}
    deadline = time.monotonic() + PATIENCE
    unmet = _unmet(directory, before, conditions)
    while unmet and time.monotonic() < deadline:
        time.sleep(0.02)
        unmet = _unmet(directory, before, conditions)
    return unmet


def main():
    verb, directory, *more = sys.argv[1:]
    if verb == "mark":
        for name, value in read_directory(directory).items():
            print(name, value)
        return 0
    unmet = expect(directory, more[0], more[1:])
    for line in unmet:
        print(line, file=sys.stderr)
    return 1 if unmet else 0


if __name__ == "__main__":
    sys.exit(main())
