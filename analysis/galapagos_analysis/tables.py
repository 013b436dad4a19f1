"""Tables of a run, for the terminal, for CSV and for the report."""

from __future__ import annotations

import pandas as pd

from .reader import Island, Run, candidate_name


def summary(run: Run) -> pd.DataFrame:
    """A row an island: how far it came and what it cost."""
    rows = []
    for island in run.islands:
        best, candidates = island.best(), island.candidates
        counts = island.migrations["direction"].value_counts()
        rows.append({
            "island": island.number,
            "generations": len(island.generations),
            "evaluations": int(island.generations["evaluations"].iloc[-1]) if len(island.generations) else 0,
            "best": best["name"] if best is not None else "-",
            "fitness": best["fitness"] if best is not None else float("nan"),
            "failed": int((candidates["status"] == "failed").sum()),
            "reused": int((candidates["status"] == "reused").sum()),
            "sent": int(counts.get("sent", 0)),
            "accepted": int(counts.get("accepted", 0)),
            "merge s": candidates["merge_seconds"].sum(),
            "evaluate s": candidates["evaluation_seconds"].sum(),
            "tokens": int(candidates["tokens"].sum()),
        })
    return pd.DataFrame(rows)


def _numbered(run: Run, name: str) -> pd.DataFrame:
    frames = []
    for island in run.islands:
        frame = getattr(island, name).copy()
        frame.insert(0, "island", island.number)
        frames.append(frame)
    # An empty frame has no types of its own and would spoil those of the others.
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def generations(run: Run) -> pd.DataFrame:
    """All generations of all islands."""
    table = _numbered(run, "generations")
    table["best_candidate"] = table["best_candidate"].map(candidate_name)
    return table


def candidates(run: Run) -> pd.DataFrame:
    """All candidates of all islands, parents by name."""
    table = _numbered(run, "candidates").drop(columns="id")
    table["parents"] = [" ".join(candidate_name(parent) for parent in parents) for parents in table["parents"]]
    return table


def migrations(run: Run) -> pd.DataFrame:
    """All migrants of all islands."""
    table = _numbered(run, "migrations")
    table["candidate"] = table["candidate"].map(candidate_name)
    return table


def events(run: Run) -> pd.DataFrame:
    """All events of all islands, in the order of time."""
    table = _numbered(run, "events").sort_values("time", kind="stable", ignore_index=True)
    table["time"] = pd.to_datetime(table["time"], unit="s", utc=True).dt.strftime("%Y-%m-%d %H:%M:%S")
    return table


def failures(run: Run) -> pd.DataFrame:
    """Reasons of failed candidates, the most frequent first."""
    table = _numbered(run, "candidates")
    failed = table[table["status"] == "failed"]
    return failed.groupby(["island", "reason"]).size().reset_index(name="times").sort_values(
        "times", ascending=False, ignore_index=True)


def best_genes(run: Run, island: Island, candidate: pd.Series) -> pd.DataFrame:
    """The genes of one candidate, categorical ones by their choice."""
    rows = []
    for i, name in enumerate(island.genes):
        value = candidate[f"gene:{name}"]
        row = {"gene": name, "value": f"{value:.6g}"}
        if i < len(run.genes):
            gene = run.genes.iloc[i]
            if gene["choices"] and 0 <= int(value) < len(gene["choices"]):
                row["value"] = gene["choices"][int(value)]
            row["bounds"] = f"{gene['lower']:g} to {gene['upper']:g}"
        rows.append(row)
    return pd.DataFrame(rows)


TABLES = {"summary": summary, "generations": generations, "candidates": candidates, "migrations": migrations,
          "events": events, "failures": failures}
