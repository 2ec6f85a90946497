#!/usr/bin/env python3
"""Draws docs/figures/epoch.svg, the chart of the README, from the first table of docs/performance.md."""

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"
SHOWN = ["picomlp", "JAX", "PyTorch"]
COLORS = {"picomlp": "#c2410c", "JAX": "#64748b", "PyTorch": "#94a3b8"}
LEFT, SCALE, ROW, GAP = 170, 480, 24, 16


def rows(text):
    """[(row's name, {column: seconds})] of the table of epochs."""
    table = re.search(r"\| 784-H-10 \|.*?\n\n", text, re.S).group(0).splitlines()
    columns = [cell.strip() for cell in table[0].split("|")[1:-1]]
    for line in filter(None, table[2:]):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if cells[0].startswith("H=128 "):
            name = "784-128-10, " + cells[0].split()[1]
            yield name, {column: float(cells[columns.index(column)]) for column in SHOWN}


def main():
    table = list(rows((DOCS / "performance.md").read_text()))
    longest = max(seconds for _, values in table for seconds in values.values())
    height = 44 + len(table) * (len(SHOWN) * ROW + GAP)
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" width="760" height="{height}"'
        ' font-family="sans-serif" font-size="14">',
        f'<rect width="760" height="{height}" fill="#fff"/>',
        '<text x="12" y="24" font-size="15" fill="#111">Seconds for an epoch of MNIST, one core (shorter is better)</text>',
    ]
    y = 44
    for name, values in table:
        svg.append(f'<text x="12" y="{y + 17}" fill="#111">{name}</text>')
        for label, seconds in values.items():
            width = SCALE * seconds / longest
            svg.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{ROW - 4}" fill="{COLORS[label]}"/>')
            svg.append(f'<text x="{LEFT + width + 8:.1f}" y="{y + 15}" fill="#111">{seconds:.2f} {label}</text>')
            y += ROW
        y += GAP
    svg.append("</svg>")
    (DOCS / "figures" / "epoch.svg").write_text("\n".join(svg) + "\n")


if __name__ == "__main__":
    main()
