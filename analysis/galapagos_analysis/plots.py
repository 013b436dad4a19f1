"""Pictures of a run: fitness over evaluations, genes of the best candidate, diversity."""

from __future__ import annotations

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from .reader import Island, Run  # noqa: E402

STYLE = {"figure.dpi": 150, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
         "axes.grid": True, "grid.alpha": 0.25, "legend.frameon": False, "figure.constrained_layout.use": True}
MAX_HEATMAPS = 8


def _color(run: Run, island: Island):
    position = [other.number for other in run.islands].index(island.number)
    return plt.get_cmap("tab10" if len(run.islands) <= 10 else "turbo")(
        position if len(run.islands) <= 10 else position / (len(run.islands) - 1))


def _finite(values: pd.Series) -> np.ndarray:
    return values.replace([np.inf, -np.inf], np.nan).to_numpy(dtype=float)


def _lone(rows: pd.DataFrame) -> str | None:
    """The marker of a line: a single point would not be seen without one."""
    return "o" if len(rows) == 1 else None


def _mark_migrations(axes, island: Island, color) -> bool:
    """A triangle on the best line wherever the island took a migrant in."""
    accepted = island.migrations[island.migrations["direction"] == "accepted"]
    rows = island.generations[island.generations["generation"].isin(accepted["generation"])]
    if rows.empty:
        return False
    # Many of them stand side by side: smaller, they leave the line visible.
    few = len(rows) <= 40
    axes.plot(rows["evaluations"], _finite(rows["best"]), linestyle="none", marker="v", markersize=5 if few else 3.5,
              markeredgecolor="white", markeredgewidth=0.5 if few else 0.3, color=color, zorder=3)
    return True


def fitness(run: Run):
    """Best and mean fitness over evaluations, a colour an island; triangles are accepted migrants."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 4.2))
        migrated = False
        for island in run.islands:
            rows, color = island.generations, _color(run, island)
            mean, deviation = _finite(rows["mean"]), _finite(rows["deviation"])
            axes.plot(rows["evaluations"], _finite(rows["best"]), color=color, linewidth=1.8,
                      label=f"island {island.number}", drawstyle="steps-post", marker=_lone(rows))
            axes.plot(rows["evaluations"], mean, color=color, linewidth=0.9, linestyle="--", alpha=0.8, marker=_lone(rows),
                      markerfacecolor="white")
            if len(run.islands) <= 4:
                axes.fill_between(rows["evaluations"], mean - deviation, mean + deviation, color=color, alpha=0.1,
                                  linewidth=0)
            migrated |= _mark_migrations(axes, island, color)
        axes.plot([], [], color="0.3", linewidth=0.9, linestyle="--", label="mean of the generation")
        if migrated:
            axes.plot([], [], color="0.3", linestyle="none", marker="v", markersize=5, label="migrants accepted")
        axes.set_xlabel("evaluations of the island")
        axes.set_ylabel("fitness")
        axes.set_title(f"{run.path.resolve().name}: best fitness", loc="left")
        axes.legend(loc="lower right", ncols=1 + len(run.islands) // 8)
        return figure


def _best_genomes(run: Run, island: Island) -> np.ndarray:
    """[genes, generations]: genes of the best candidate so far, scaled to their bounds."""
    columns = [f"gene:{name}" for name in island.genes]
    # The best may have come from another island; then only the migration table has its genome.
    migrants = island.migrations.rename(columns={"candidate": "id"})
    known = [frame[["id", *columns]] for frame in (island.candidates, migrants) if len(frame)]
    by_id = pd.concat(known).drop_duplicates("id").set_index("id")
    table = by_id.reindex(island.generations["best_candidate"])[columns].ffill().to_numpy(dtype=float)
    if len(run.genes) == len(island.genes):
        lower, upper = run.genes["lower"].to_numpy(), run.genes["upper"].to_numpy()
    else:
        lower, upper = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    width = np.where(upper > lower, upper - lower, 1.0)
    return ((table - lower) / width).T


def genes(run: Run):
    """How the best candidate's genes moved, one panel an island."""
    islands = [island for island in run.islands if island.genes and len(island.candidates)][:MAX_HEATMAPS]
    if not islands:
        return None
    labelled = len(islands[0].genes) <= 60
    height = 1.2 + len(islands) * max(1.2, 0.16 * len(islands[0].genes) if labelled else 4.0)
    with plt.rc_context({**STYLE, "axes.grid": False}):
        figure, rows = plt.subplots(len(islands), 1, figsize=(7.2, height), squeeze=False, sharex=True)
        for axes, island in zip(rows[:, 0], islands):
            first, last = island.generations["generation"].iloc[[0, -1]]
            image = axes.imshow(_best_genomes(run, island), aspect="auto", interpolation="nearest", vmin=0, vmax=1,
                                cmap="viridis", extent=(first - 0.5, last + 0.5, len(island.genes) - 0.5, -0.5))
            axes.set_title(f"island {island.number}", loc="left")
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))
            if labelled:
                axes.set_yticks(range(len(island.genes)), island.genes, fontsize=7)
        rows[-1, 0].set_xlabel("generation")
        figure.colorbar(image, ax=list(rows[:, 0]), label="value within its bounds")
        return figure


def diversity(run: Run):
    """Diversity over evaluations, as the optimisers measure it."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(7.2, 2.6))
        for island in run.islands:
            axes.plot(island.generations["evaluations"], _finite(island.generations["diversity"]),
                      color=_color(run, island), label=f"island {island.number}", marker=_lone(island.generations))
        axes.set_xlabel("evaluations of the island")
        axes.set_ylabel("diversity")
        axes.legend(ncols=1 + len(run.islands) // 8)
        return figure


def save_all(run: Run, folder: pathlib.Path) -> list[pathlib.Path]:
    """Writes fitness.png, genes.png and diversity.png; returns what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in (("fitness", fitness), ("genes", genes), ("diversity", diversity)):
        figure = draw(run)
        if figure is None:
            continue
        path = folder / f"{name}.png"
        figure.savefig(path)
        plt.close(figure)
        written.append(path)
    return written
