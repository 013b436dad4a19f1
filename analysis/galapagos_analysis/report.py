"""One self-contained HTML page about a run."""

from __future__ import annotations

import base64
import html
import io

import matplotlib.pyplot as plt
import pandas as pd

from . import plots, tables
from .reader import Run

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
h1 {{ font-size: 1.6rem; margin-bottom: 0; }} h2 {{ font-size: 1.15rem; margin-top: 2.2rem; }}
p.lead {{ font-size: 1.05rem; }} img {{ max-width: 100%; }}
div.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; }}
th {{ border-bottom: 2px solid #999; }} td:first-child, th:first-child {{ text-align: left; }}
pre {{ background: #f6f6f4; padding: 0.8rem; overflow-x: auto; font-size: 0.8rem; }}
.warning {{ color: #9a4b00; }}
</style></head><body>
{body}
</body></html>
"""


def _picture(figure, text: str) -> str:
    if figure is None:
        return ""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(text)}" src="data:image/png;base64,{data}">'


def _table(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "<p>None.</p>"
    return f'<div class="wide">{frame.to_html(index=False, border=0, float_format="{:.4g}".format, na_rep="-")}</div>'


def _section(title: str, content: str) -> str:
    return f"<h2>{html.escape(title)}</h2>\n{content}\n"


def _lead(run: Run) -> str:
    best = run.best()
    if best is None:
        return "<p class='lead'>No candidate has been evaluated yet.</p>"
    island, candidate = best
    total = sum(len(each.candidates) for each in run.islands)
    scores = ", ".join(f"{html.escape(task)} {candidate[f'score:{task}']:.4g}" for task in island.tasks)
    return (f"<p class='lead'>Best of {total} candidates on {len(run.islands)} islands: <b>{candidate['name']}</b>, "
            f"fitness <b>{candidate['fitness']:.4g}</b> in generation {candidate['generation']} ({scores}).</p>")


def render(run: Run) -> str:
    """The page as text."""
    name = run.path.resolve().name
    body = [f"<h1>{html.escape(name)}</h1>", _lead(run)]
    body += [f"<p class='warning'>{html.escape(text)}</p>" for island in run.islands for text in island.warnings]
    body.append(_section("Fitness", _picture(plots.fitness(run), "fitness over evaluations")))
    body.append(_section("Islands", _table(tables.summary(run))))
    if best := run.best():
        body.append(_section("Best candidate", _table(tables.best_genes(run, *best))))
    body.append(_section("Genes of the best candidate over time", _picture(plots.genes(run), "genes")))
    body.append(_section("Diversity", _picture(plots.diversity(run), "diversity over evaluations")))
    migrations = tables.migrations(run)
    shown = migrations[["island", "generation", "direction", "peer", "candidate", "fitness"]]
    body.append(_section("Migration", _table(shown.tail(40))))
    body.append(_section("Failed candidates", _table(tables.failures(run))))
    body.append(_section("Events", _table(tables.events(run).tail(40))))
    if len(run.sources):
        body.append(_section("Source models", _table(run.sources)))
    if run.provenance:
        pairs = pd.DataFrame(sorted(run.provenance.items()), columns=["what", "value"])
        body.append(_section("Provenance", _table(pairs)))
    if run.config:
        body.append(_section("Configuration", f"<pre>{html.escape(run.config)}</pre>"))
    return PAGE.format(title=html.escape(f"galapagos: {name}"), body="\n".join(body))
