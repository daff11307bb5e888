"""Draws the table of a results file: each figure as a share of its target.

  plot.py RESULTS.json PLOT.svg
"""
import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    rows = [row for row in results["table"] if row["measured"] == row["measured"] and row["met"] is not None]
    labels = [f"{row['what']}\n{row['measured']:,.1f} {row['unit']}  (target {row['target']})" for row in rows]
    figure, axes = plt.subplots(figsize=(11, 0.62 * len(rows) + 1.2))
    values = [row["ratio"] if row["ratio"] is not None else 1.0 for row in rows]
    colours = ["#2a7f5f" if row["met"] else "#b5462f" for row in rows]
    axes.barh(range(len(rows)), values, color=colours)
    for position, row in enumerate(rows):
        text = f"{row['ratio']:.2f} ×" if row["ratio"] is not None else "absolute"
        axes.text(values[position], position, f" {text}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("ratio to its baseline in the same run (green: target met)")
    machine = results["machine"]
    axes.set_title(f"Counterfoil on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB")
    figure.tight_layout()
    figure.savefig(sys.argv[2])


if __name__ == "__main__":
    main()
