"""Figures of run time -> the picture beside docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.tables import Figures, by_group, geometric_mean

SERIES: Final = {
    "wasmtime_over_native": ("wasmtime", "#b8b8b8"),
    "plain_over_native": ("mvvm-aot without points", "#7fb3d5"),
    "points_over_native": ("mvvm-aot with points", "#1f5f8b"),
}
WIDTH: Final = 0.27  # of a bar; a program has one unit


def series_of(items: Sequence[Figures]) -> dict[str, tuple[str, str]]:
    """Return those of SERIES that were measured for every program."""
    return {
        name: row for name, row in SERIES.items() if all(name in item["ratios"] for item in items)
    }


def draw_chart(items: Sequence[Figures], out: Path) -> None:
    """Write a bar chart of all programs' run times divided by native code's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    series = series_of(items)
    figure, axes = pyplot.subplots(figsize=(15, 5.2))
    labels: list[str] = []
    for group, members in by_group(items).items():
        place = len(labels)
        for number, (name, (_, colour)) in enumerate(series.items()):
            heights = [item["ratios"][name] for item in members]
            heights.append(geometric_mean(heights))
            places = [place + k + (number - 1) * WIDTH for k in range(len(heights))]
            axes.bar(places, heights, WIDTH, color=colour)
        axes.text(place - 0.4, 1.005, group, transform=axes.get_xaxis_transform(), fontsize=9)
        labels += [item["program"] for item in members] + ["mean"]
        axes.axvline(len(labels) - 0.5, color="#dddddd", linewidth=0.8)
    for number, (name, (_, colour)) in enumerate(series.items()):
        height = geometric_mean(item["ratios"][name] for item in items)
        axes.bar(len(labels) + (number - 1) * WIDTH, height, WIDTH, color=colour)
    labels.append("mean of all")
    axes.axhline(1, color="#444444", linewidth=0.8)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize=8)
    for tick, label in zip(axes.get_xticklabels(), labels, strict=True):
        tick.set_fontweight("bold" if label.startswith("mean") else "normal")
    axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_ylabel("run time ÷ native zig cc -O3 (less is better)")
    handles = [Patch(color=colour, label=title) for title, colour in series.values()]
    axes.legend(
        handles=handles,
        frameon=False,
        fontsize=9,
        ncol=3,
        loc="lower right",
        bbox_to_anchor=(1, 1.05),
    )
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    figure.tight_layout()
    figure.savefig(out, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
