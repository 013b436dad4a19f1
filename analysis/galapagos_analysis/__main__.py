"""python -m galapagos_analysis plot|table|report RUN"""

from __future__ import annotations

import argparse
import pathlib
import sys

from .reader import HistoryError, read_run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="galapagos_analysis", description="Tables and pictures of a galapagos run.")
    commands = parser.add_subparsers(dest="command", required=True)
    plot = commands.add_parser("plot", help="fitness, genes and diversity as PNG files")
    plot.add_argument("-o", "--output", type=pathlib.Path, help="folder (default: RUN/plots)")
    table = commands.add_parser("table", help="print a table")
    table.add_argument("--what", default="summary",
                       choices=["summary", "generations", "candidates", "migrations", "events", "failures"])
    table.add_argument("--csv", action="store_true", help="as CSV, all rows and columns")
    report = commands.add_parser("report", help="one self-contained HTML page")
    report.add_argument("-o", "--output", type=pathlib.Path, help="file (default: RUN/report.html)")
    for command in (plot, table, report):
        command.add_argument("run", type=pathlib.Path, metavar="RUN", help="run directory")
    return parser


def _print_table(run, what: str, csv: bool) -> None:
    from .tables import TABLES

    frame = TABLES[what](run)
    if csv:
        frame.to_csv(sys.stdout, index=False)
    else:
        print(frame.to_string(index=False, float_format="{:.4g}".format, max_rows=60))


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        run = read_run(options.run)
        if options.command == "plot":
            from .plots import save_all

            for path in save_all(run, options.output or options.run / "plots"):
                print(path)
        elif options.command == "table":
            _print_table(run, options.what, options.csv)
        else:
            from .report import render

            path = options.output or options.run / "report.html"
            path.write_text(render(run), encoding="utf-8")
            print(path)
    except (HistoryError, OSError) as error:
        print(f"galapagos_analysis: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
