#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""bench-plot.py DIR PAGE: what bench.sh measured, as plots and as tables.

Reads DIR/*.json, writes DIR/*.svg, and replaces what stands between the two marks in the
Markdown file PAGE. Python's standard library is all it needs.
"""
import json
import math
import os
import sys
from xml.sax.saxutils import escape

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

# Okabe and Ito's palette: told apart by colour-blind eyes, too.
COLOURS = {
    "openssl": "#d55e00", "ktls": "#0072b2", "ktls-tx": "#56b4e9", "ktls-rx": "#009e73",
    "raw": "#cc79a7", "plain": "#7f7f7f", "gnutls": "#e69f00", "native": "#000000",
    "native-raw": "#f0e442",
}
WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 44, 52


class Canvas:
    """An SVG image, with its title."""

    def __init__(self, title):
        self.items = [
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        ]
        self.text(LEFT, 24, title, size=15, weight="bold")

    def text(self, x, y, text, size=12, anchor="start", weight="normal"):
        self.items.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">'
                          f'{escape(str(text))}</text>')

    def line(self, x1, y1, x2, y2, colour="#dddddd", width=1):
        self.items.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def rect(self, x, y, width, height, colour):
        self.items.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}" fill="{colour}"/>')

    def polyline(self, points, colour):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.items.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                          f'stroke-width="2"/>')
        for x, y in points:
            self.items.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" '
                              f'fill="{colour}"/>')

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
                       f'height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
                       f'font-family="sans-serif">\n')
            file.write("\n".join(self.items))
            file.write("\n</svg>\n")


def step(top):
    """A round number that divides an axis up to `top` into some five parts."""
    power = 10 ** math.floor(math.log10(top / 5))
    return next(power * m for m in (1, 2, 5, 10) if power * m * 5 >= top * 0.999)


def axis(canvas, top, label):
    """The vertical axis from 0; returns the function from values to heights."""
    def height(value):
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    tick = step(top)
    for i in range(int(top / tick + 0.001) + 1):
        canvas.line(LEFT, height(i * tick), WIDTH - RIGHT, height(i * tick))
        canvas.text(LEFT - 6, height(i * tick) + 4, f"{i * tick:g}", anchor="end")
    canvas.text(LEFT, TOP - 6, label, size=11)
    return height


def legend(canvas, peers):
    for i, peer in enumerate(peers):
        y = TOP + 10 + 20 * i
        canvas.rect(WIDTH - RIGHT + 14, y - 9, 12, 12, COLOURS[peer])
        canvas.text(WIDTH - RIGHT + 32, y + 1, peer)


def lines(path, title, label, x_label, ticks, series):
    """One line per peer over evenly spaced ticks; None: not measured."""
    canvas = Canvas(title)
    top = 1.08 * max(v for values in series.values() for v in values if v is not None)
    height = axis(canvas, top, label)
    gap = (WIDTH - LEFT - RIGHT - 40) / max(len(ticks) - 1, 1)
    place = [LEFT + 20 + gap * i for i in range(len(ticks))]
    for x, tick in zip(place, ticks):
        canvas.text(x, HEIGHT - BOTTOM + 18, tick, anchor="middle")
    canvas.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label, anchor="middle")
    for peer, values in series.items():
        canvas.polyline([(x, height(v)) for x, v in zip(place, values) if v is not None],
                        COLOURS[peer])
    legend(canvas, series)
    canvas.write(path)


def bars(path, title, label, groups, series):
    """One group of bars per suite, one bar per peer."""
    canvas = Canvas(title)
    top = 1.08 * max(v for values in series.values() for v in values if v is not None)
    height = axis(canvas, top, label)
    group = (WIDTH - LEFT - RIGHT) / len(groups)
    bar = group * 0.8 / len(series)
    for i, name in enumerate(groups):
        x = LEFT + group * i + group * 0.1
        for j, (peer, values) in enumerate(series.items()):
            if values[i] is not None:
                canvas.rect(x + bar * j, height(values[i]), bar - 1,
                            height(0) - height(values[i]), COLOURS[peer])
        first = 2 if name.startswith("AES") else 1 # AES-128, CHACHA20
        words = name.split("-", first)
        for k, word in enumerate(["-".join(words[:first]), words[first]]):
            canvas.text(x + group * 0.4, HEIGHT - BOTTOM + 15 + 13 * k, word, size=10,
                        anchor="middle")
    legend(canvas, series)
    canvas.write(path)


def load(directory, name):
    with open(os.path.join(directory, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def figure(case, peer, what):
    """The median of a peer in a case, or None."""
    for candidate in case["peers"]:
        if candidate["peer"] == peer and what in candidate:
            return candidate[what][0]
    return None


def series_of(results, what):
    peers = []
    for case in results:
        peers += [p["peer"] for p in case["peers"] if p["peer"] not in peers]
    return {p: [figure(case, p, what) for case in results] for p in peers}


def human(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else (
        f"{size >> 10} KiB" if size >= 1024 else f"{size} B")


def table(head, rows):
    text = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    text += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(text) + "\n"


def targets_table(documents):
    rows = []
    for document in documents:
        for t in document.get("targets", document.get("results")):
            if "target" not in t or not t["limit"]:
                continue
            median, low, high = t["measured"]
            at_least = t.get("sense") == "at least"
            met = median >= t["limit"] if at_least else median <= t["limit"]
            rows.append([t["target"], t["ratio"], ("≥ " if at_least else "≤ ") +
                         f"{t['limit']:g}", f"{median:.3g}", f"{low:.3g} to {high:.3g}",
                         "met" if met else "**missed**"])
    return table(["what", "ratio or unit", "target", "median", "range", ""], rows)


def peers_table(results, name):
    """A row per case and peer: what it costs, and against what."""
    rows = []
    for case in results:
        for p in case["peers"]:
            kib = p["ns_per_kib"]
            calls = p.get("syscalls_per_mib")
            rows.append([name(case), p["peer"], f"{kib[0]:.0f}",
                         f"{kib[1]:.0f} to {kib[2]:.0f}", f"{p['ns_per_record'][0]:.0f}",
                         f"{p['mib_per_s'][0]:.0f}",
                         "{:.0f}, {:.0f}".format(*calls) if calls else "",
                         f"{p['of_openssl'][0]:.2f}" if "of_openssl" in p else "",
                         f"{p['of_plain'][0]:.2f}" if "of_plain" in p else ""])
    return table(["", "peer", "ns/KiB", "range", "ns/record", "MiB/s",
                  "syscalls/MiB: send, receive", "of openssl", "of plain"], rows)


def nginx_table(document):
    rows = []
    for file, servers in document["samples"].items():
        for server, values in servers.items():
            def median(what):
                return sorted(v[what] for v in values)[len(values) // 2]
            rows.append([file, server, f"{median('requests_per_s'):.0f}",
                         f"{median('cpu_us'):.1f}", f"{median('cpu_us_nginx'):.1f}"])
    return table(["file", "server", "requests/s", "CPU us per request, with the client",
                  "of nginx alone"], rows)


def machine(document):
    m = document["machine"]
    return (f"{m['cpu']}, {m['cpus']} CPUs, Linux {m['kernel']}, {m['openssl']}; "
            f"{document['date']}; libktls {document['library']}.\n")


def plots(directory, sizes, suites, sessions):
    large = [c for c in sizes if c["size"] >= 1024]
    lines(os.path.join(directory, "sizes.svg"), "AES-128-GCM, TLS 1.2: cost of a KiB",
          "ns of CPU, both ends", "bytes per write", [human(c["size"]) for c in large],
          series_of(large, "ns_per_kib"))
    ratios = series_of(sizes, "of_openssl")
    lines(os.path.join(directory, "ratios.svg"),
          "AES-128-GCM, TLS 1.2: CPU as a multiple of OpenSSL's", "OpenSSL = 1",
          "bytes per write", [human(c["size"]) for c in sizes], ratios)
    bars(os.path.join(directory, "suites.svg"), "TLS 1.2, 16 KiB writes: cost of a KiB",
         "ns of CPU, both ends", [c["suite"] for c in suites],
         series_of(suites, "ns_per_kib"))
    lines(os.path.join(directory, "sessions.svg"),
          "Sessions on one event loop: cost of a KiB", "ns of CPU, both ends",
          "connections", [c["connections"] for c in sessions],
          series_of(sessions, "ns_per_kib"))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n", maxsplit=1)[0])
    directory, page = sys.argv[1:]
    relative = os.path.relpath(directory, os.path.dirname(page) or ".")
    targets, micro, nginx, sizes, suites, modes, sessions = (
        load(directory, name) for name in
        ("targets", "micro", "nginx", "sizes", "suites", "modes", "sessions"))
    plots(directory, sizes["results"], suites["results"], sessions["results"])

    text = [machine(load(directory, "machine") | {"machine": sizes["machine"]}),
            "### Targets\n", targets_table([targets, micro, nginx]),
            "### Sizes\n", f"`{sizes['command']}`\n", f"![]({relative}/sizes.svg)\n",
            f"![]({relative}/ratios.svg)\n",
            peers_table(sizes["results"], lambda c: human(c["size"])),
            "### Suites\n", f"`{suites['command']}`\n", f"![]({relative}/suites.svg)\n",
            peers_table(suites["results"], lambda c: c["suite"]),
            "### write and sendfile, TLS 1.2 and 1.3\n", f"`{modes['command']}`\n",
            peers_table(modes["results"], lambda c: f"TLS {c['tls']} {c['mode']}"),
            "### Sessions on one event loop\n", f"`{sessions['command']}`\n",
            f"![]({relative}/sessions.svg)\n",
            peers_table(sessions["results"], lambda c: c["connections"]),
            "### nginx\n", nginx_table(nginx)]
    with open(page, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(page, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + "\n".join(text) + END + after)


if __name__ == "__main__":
    main()
