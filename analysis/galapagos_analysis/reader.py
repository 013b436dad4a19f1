"""Run directories as pandas tables. The file format is described in docs/history-format.md."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import zlib

import h5py
import numpy as np
import pandas as pd

PART_NAME = re.compile(r"^i(\d{4,})\.part(\d{3,})\.h5$")
NO_CANDIDATE = np.iinfo(np.uint64).max
COUNTER_BITS = 40
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class HistoryError(Exception):
    """A history that can't be read, with the file and the reason."""


@dataclasses.dataclass
class Island:
    """One island, its job attempts joined.

    generations: a row a generation, with `diagnostic:NAME` columns.
    candidates:  a row a candidate, with `gene:NAME` and `score:TASK` columns.
    migrations:  a row a migrant, with `gene:NAME` columns.
    events:      a row an event, of all attempts.
    answers:     task -> array [candidates, items]; filled only when asked for. Missing is NaN.
    """

    number: int
    genes: list[str]
    tasks: list[str]
    items: dict[str, list[str]]
    generations: pd.DataFrame
    candidates: pd.DataFrame
    migrations: pd.DataFrame
    events: pd.DataFrame
    answers: dict[str, np.ndarray]
    attributes: dict[str, str]
    warnings: list[str]

    def best(self) -> pd.Series | None:
        """The fittest candidate; of equals the oldest."""
        good = self.candidates[self.candidates["status"] != "failed"].dropna(subset=["fitness"])
        if good.empty:
            return None
        return good.sort_values(["fitness", "id"], ascending=[False, True], kind="stable").iloc[0]


@dataclasses.dataclass
class Run:
    """A run: its islands, and from run.h5 the genes with their bounds, sources, configuration, provenance."""

    path: pathlib.Path
    islands: list[Island]
    genes: pd.DataFrame
    sources: pd.DataFrame
    config: str
    provenance: dict[str, str]

    def best(self) -> tuple[Island, pd.Series] | None:
        """The fittest candidate of all islands."""
        found = [(island, island.best()) for island in self.islands]
        found = [(island, best) for island, best in found if best is not None]
        return min(found, key=lambda pair: (-pair[1]["fitness"], pair[1]["id"]), default=None)


def candidate_name(identifier: int) -> str:
    """'3:17' for candidate 17 of island 3, '-' for no candidate."""
    identifier = int(identifier)
    if identifier == NO_CANDIDATE:
        return "-"
    return f"{identifier >> COUNTER_BITS}:{identifier & ((1 << COUNTER_BITS) - 1)}"


def _text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _texts(dataset) -> list[str]:
    return [_text(value) for value in dataset[:]]


def _open(path: pathlib.Path) -> h5py.File:
    with open(path, "rb") as file:
        head = file.read(12)
    if not head.startswith(HDF5_SIGNATURE) or len(head) < 12:
        raise HistoryError(f"{path}: not an HDF5 file")
    # A live or killed writer leaves flags in the superblock; only SWMR mode opens such a file.
    growing = head[8] >= 3 and head[11] != 0
    return h5py.File(path, "r", swmr=growing, libver="latest", locking=False)


def _slice(dataset, begin: int, end: int) -> np.ndarray:
    rows = dataset[begin:end]
    if len(rows) != end - begin:
        raise HistoryError(f"{dataset.file.filename}: {dataset.name} is too short")
    return rows


def _committed(file: h5py.File) -> np.ndarray:
    """Rows of /generation up to the first that was made but never written."""
    rows = file["generation"][:]
    whole = rows["sequence"] == np.arange(1, len(rows) + 1)
    end = len(rows) if whole.all() else int(np.argmin(whole))
    if rows["sequence"][end:].any():
        raise HistoryError(f"{file.filename}: damaged (row {end} of /generation)")
    return rows[:end]


def _check(file: h5py.File, commits: np.ndarray, answers: bool) -> None:
    """Compares every generation with its checksum."""
    ends = {"generation": np.arange(1, len(commits) + 1), "candidates": commits["candidates_end"],
            "migration": commits["migration_end"]}

    def load(kinds: list[tuple[str, str]]) -> list[tuple[np.ndarray, str]]:
        last = {kind: int(rows[-1]) if len(rows) else 0 for kind, rows in ends.items()}
        return [(_slice(file[name], 0, last[kind]), kind) for name, kind in kinds if name in file]

    content = load([("diagnostics", "generation"), ("candidates/table", "candidates"),
                    ("candidates/genome", "candidates"), ("candidates/scores", "candidates"),
                    ("migration/table", "migration"), ("migration/genome", "migration")])
    matrices = load([(f"answers/task{i}", "candidates") for i in range(len(file["schema/tasks"]))]) if answers else []

    def sum_over(tables: list[tuple[np.ndarray, str]], row: int, start: int) -> int:
        for rows, kind in tables:
            begin = int(ends[kind][row - 1]) if row > 0 else 0
            start = zlib.crc32(rows[begin : int(ends[kind][row])].tobytes(), start)
        return start

    for i, row in enumerate(commits):
        wrong = sum_over(content, i, zlib.crc32(row.tobytes()[:-4])) != row["checksum"]
        if wrong or (answers and sum_over(matrices, i, 0) != row["answers_checksum"]):
            raise HistoryError(f"{file.filename}: damaged (generation {row['generation']}: wrong checksum)")


def _frame(rows: np.ndarray, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: rows[name] for name in names})


def _add_columns(frame: pd.DataFrame, prefix: str, names: list[str], values: np.ndarray) -> pd.DataFrame:
    columns = pd.DataFrame({f"{prefix}:{name}": values[:, i] for i, name in enumerate(names)}, index=frame.index)
    return pd.concat([frame, columns], axis=1)


def _named(codes: np.ndarray, names: list[str]) -> pd.Categorical:
    return pd.Categorical([names[code] if code < len(names) else str(code) for code in codes])


def _numbers(file: h5py.File, name: str, rows: int) -> np.ndarray:
    return _slice(file[name], 0, rows) if name in file else np.empty((rows, 0))


def _candidates(file: h5py.File, end: int, genes: list[str], tasks: list[str]) -> pd.DataFrame:
    table = file["candidates/table"]
    rows = _slice(table, 0, end)
    frame = _frame(rows, ["id", "generation", "fitness", "merge_seconds", "evaluation_seconds", "tokens", "evaluator"])
    frame.insert(1, "name", [candidate_name(value) for value in rows["id"]])
    frame["parents"] = [tuple(int(p) for p in pair if p != NO_CANDIDATE) for pair in rows["parents"]]
    frame["origin"] = _named(rows["origin"], [_text(name) for name in table.attrs["origin_names"]])
    frame["status"] = _named(rows["status"], [_text(name) for name in table.attrs["status_names"]])
    frame["reason"] = [_text(reason) for reason in rows["reason"]]
    frame = _add_columns(frame, "gene", genes, _numbers(file, "candidates/genome", end))
    return _add_columns(frame, "score", tasks, _numbers(file, "candidates/scores", end))


def _migrations(file: h5py.File, end: int, genes: list[str]) -> pd.DataFrame:
    table = file["migration/table"]
    rows = _slice(table, 0, end)
    frame = _frame(rows, ["generation", "candidate", "time", "fitness", "peer"])
    frame["direction"] = _named(rows["direction"], [_text(name) for name in table.attrs["direction_names"]])
    return _add_columns(frame, "gene", genes, _numbers(file, "migration/genome", end))


def _events(file: h5py.File) -> pd.DataFrame:
    rows = file["events"][:]
    whole = [row["sequence"] == i + 1 and row["checksum"] == zlib.crc32(row.tobytes()[:-4])
             for i, row in enumerate(rows)]
    rows = rows[: whole.index(False) if False in whole else len(rows)]
    frame = _frame(rows, ["time", "generation"])
    frame["code"] = [_text(code) for code in rows["code"]]
    frame["text"] = [_text(text) for text in rows["text"]]
    return frame


def _answers(file: h5py.File, end: int, tasks: list[str]) -> dict[str, np.ndarray]:
    found = {}
    for i, task in enumerate(tasks):
        name = f"answers/task{i}"
        if name in file:
            rows = _slice(file[name], 0, end)
            values = rows.astype(np.float32)
            if rows.dtype == np.uint8:
                values[rows == 255] = np.nan
            found[task] = values
    return found


def read_part(path, answers: bool = False) -> Island:
    """One part file, as far as it is committed. Works on files of live and killed writers."""
    path = pathlib.Path(path)
    try:
        with _open(path) as file:
            version = _text(file.attrs["galapagos_format"])
            if version.split(".")[0] != "1":
                raise HistoryError(f"{path}: format {version}, this reader knows 1.x")
            # First the commits, then what they refer to: a live writer only ever adds.
            commits = _committed(file)
            _check(file, commits, answers)
            genes, tasks = _texts(file["schema/genes"]), _texts(file["schema/tasks"])
            candidates_end = int(commits["candidates_end"][-1]) if len(commits) else 0
            migration_end = int(commits["migration_end"][-1]) if len(commits) else 0
            generations = _frame(commits, ["generation", "evaluations", "started", "ended", "best", "mean",
                                           "deviation", "diversity", "best_candidate"])
            generations = _add_columns(generations, "diagnostic", _texts(file["schema/diagnostics"]),
                                       _numbers(file, "diagnostics", len(commits)))
            return Island(
                number=int(file.attrs["island"]), genes=genes, tasks=tasks,
                items={task: _texts(file[f"schema/items/task{i}"]) for i, task in enumerate(tasks)},
                generations=generations,
                candidates=_candidates(file, candidates_end, genes, tasks),
                migrations=_migrations(file, migration_end, genes),
                events=_events(file),
                answers=_answers(file, candidates_end, tasks) if answers else {},
                attributes={name: _text(value) for name, value in file.attrs.items()},
                warnings=[])
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise HistoryError(f"{path}: can't read ({error})") from error


def join_parts(parts: list[Island]) -> Island:
    """The first generation of a later part replaces that generation and all after it in earlier parts."""
    joined = parts[0]
    for part in parts[1:]:
        if (part.genes, part.tasks) != (joined.genes, joined.tasks) or \
                part.attributes["run_uuid"] != joined.attributes["run_uuid"]:
            raise HistoryError(f"island {joined.number}: its parts belong to different runs")
        joined.events = pd.concat([joined.events, part.events], ignore_index=True)
        if part.generations.empty:
            continue
        first = part.generations["generation"].iloc[0]
        kept = (joined.candidates["generation"] < first).to_numpy()
        before = joined.generations[joined.generations["generation"] < first]
        expected = 0 if before.empty else before["generation"].iloc[-1] + 1
        if first != expected:
            joined.warnings.append(f"island {joined.number}: generation {first} follows, {expected} was expected")
        joined.answers = {task: np.concatenate([joined.answers[task][kept], part.answers[task]])
                          for task in part.answers}
        for name in ("generations", "candidates", "migrations"):
            old, new = getattr(joined, name), getattr(part, name)
            old = old[old["generation"] < first]
            setattr(joined, name, pd.concat([old, new], ignore_index=True) if len(old) else new)
    return joined


def _read_index(path: pathlib.Path) -> tuple[pd.DataFrame, pd.DataFrame, str, dict[str, str]]:
    if not path.exists():
        return pd.DataFrame(), pd.DataFrame(), "", {}
    try:
        with h5py.File(path, "r", locking=False) as file:
            genes = pd.DataFrame({"name": _texts(file["genes/name"]), "type": _texts(file["genes/type"]),
                                  "lower": file["genes/lower"][:], "upper": file["genes/upper"][:],
                                  "initial": file["genes/initial"][:],
                                  "choices": [json.loads(text) for text in _texts(file["genes/choices"])]})
            sources = pd.DataFrame({name: _texts(file[f"sources/{name}"]) for name in ("name", "model", "sha256")})
            provenance = {name: _text(value) for name, value in file.attrs.items()}
            return genes, sources, _texts(file["config"])[0], provenance
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise HistoryError(f"{path}: can't read ({error})") from error


def read_run(path, answers: bool = False) -> Run:
    """A run directory, whether the run is live, finished or killed."""
    path = pathlib.Path(path)
    parts: dict[int, list[tuple[int, pathlib.Path]]] = {}
    for file in (path / "islands").glob("i*.h5"):
        if match := PART_NAME.match(file.name):
            parts.setdefault(int(match[1]), []).append((int(match[2]), file))
    if not parts:
        raise HistoryError(f"{path}: no history here (no islands/i*.part*.h5 in it)")
    islands = [join_parts([read_part(file, answers) for _, file in sorted(files)])
               for _, files in sorted(parts.items())]
    genes, sources, config, provenance = _read_index(path / "run.h5")
    return Run(path, islands, genes, sources, config, provenance)
