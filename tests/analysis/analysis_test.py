"""galapagos_analysis against runs that the C++ writer made, closed, live, killed and damaged."""

import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

from galapagos_analysis import HistoryError, plots, read_part, read_run, tables  # noqa: E402
from galapagos_analysis.__main__ import main  # noqa: E402

POPULATION = 6


def rising(island, generation):
    return 1.0 - np.exp(-0.05 * (generation + 1)) / (1.0 + island)


def wave(island, generation, i):
    return 0.5 + 0.5 * np.sin(0.37 * generation + 1.3 * i + 2.1 * island)


@pytest.fixture(scope="session")
def writer():
    """tests/history/sample_writer of the build under test."""
    folders = [os.environ.get("GALAPAGOS_BINARY_DIR")] if "GALAPAGOS_BINARY_DIR" in os.environ else \
        sorted((ROOT / "build").glob("*"))
    for folder in folders:
        program = pathlib.Path(folder) / "tests/history/sample_writer"
        if program.exists():
            return program
    pytest.skip("sample_writer is not built")


@pytest.fixture(scope="session")
def sample(writer, tmp_path_factory):
    run = tmp_path_factory.mktemp("history") / "run"
    subprocess.run([writer, "run", run], check=True, stdout=subprocess.DEVNULL)
    return run


def test_a_run_of_one_generation_is_seen_in_its_plots(sample):
    run = read_run(sample)
    for island in run.islands:
        island.generations = island.generations.iloc[:1]
    for draw in (plots.fitness, plots.diversity):
        lines = [line for line in draw(run).axes[0].lines if len(line.get_xdata()) == 1]
        assert lines and all(line.get_marker() == "o" for line in lines)


def check_contents(island, generations):
    """Compares with the formulas in tests/history/sample_history.cpp."""
    rows = island.generations
    assert list(rows["generation"]) == list(range(generations))
    number = rows["generation"].to_numpy()
    np.testing.assert_allclose(rows["best"], rising(island.number, number), rtol=1e-14)
    np.testing.assert_allclose(rows["diagnostic:sigma"], wave(island.number, number, 7), atol=1e-12)
    candidates = island.candidates
    assert len(candidates) == generations * POPULATION
    order = candidates["id"].to_numpy() & ((1 << 40) - 1)
    assert list(order) == list(range(len(candidates)))
    generation, position = order // POPULATION, order % POPULATION
    np.testing.assert_array_equal(candidates["generation"], generation)
    np.testing.assert_allclose(candidates["gene:weight.math"], wave(island.number, generation, position), atol=1e-12)
    failed = (generation % 5 == 3) & (position == POPULATION - 1)
    np.testing.assert_array_equal(candidates["status"] == "failed", failed)
    assert set(island.migrations["generation"]) == {g for g in range(generations) if g % 4 == 2}


def test_joins_attempts_and_reads_everything(sample):
    run = read_run(sample, answers=True)
    assert [island.number for island in run.islands] == [0, 1]
    for island in run.islands:
        check_contents(island, 20)
        assert not island.warnings
        bits = island.answers["ja/arithmetic"]
        assert bits.shape == (120, 20) and np.isnan(bits[:, 19]).all()
        assert bits[7, 1] == ((1 + 1 + 1) % 3 == 0)
        assert island.answers["perplexity"].shape == (120, 3)
        assert island.items["ja/arithmetic"][3] == "item-3"
    first = run.islands[0].candidates
    assert first["origin"][0] == "initial" and first["origin"][6] == "crossover"
    assert first["reason"][23] == "the logits are not finite"
    assert [event for event in run.islands[0].events["code"]] == ["start", "resume"]
    assert run.best()[1]["name"] == "1:114"
    assert run.genes["choices"][3] == ["linear", "ties", "slerp"]
    assert run.provenance["mpi"] == "Open MPI 4.1.4"
    assert list(run.sources["name"]) == ["math", "japanese"]


def test_plain_h5py_reads_through_the_index(sample):
    with h5py.File(sample / "run.h5", "r", locking=False) as file:
        assert file["islands/0000/part002/generation"]["generation"][0] == 10
        assert file.attrs["galapagos_format"] == b"1.0.0"


def test_tables(sample):
    run = read_run(sample)
    summary = tables.summary(run)
    assert list(summary["evaluations"]) == [120, 120]
    assert list(summary["failed"]) == [4, 4]
    assert tables.candidates(run)["parents"][6] == "0:0 0:5"
    assert len(tables.migrations(run)) == 20
    assert tables.failures(run)["times"].sum() == 8
    method = tables.best_genes(run, *run.best()).set_index("gene").loc["method"]
    assert method["value"] == "linear"


def test_command_line(sample, tmp_path, capsys):
    assert main(["plot", str(sample), "-o", str(tmp_path / "plots")]) == 0
    for name in ("fitness", "genes", "diversity"):
        assert (tmp_path / f"plots/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["report", str(sample), "-o", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page.replace("https://", "http://").split("<body>")[0]
    assert "1:114" in page and "Open MPI 4.1.4" in page
    assert main(["table", str(sample), "--what", "generations", "--csv"]) == 0
    assert capsys.readouterr().out.count("\n") > 40
    assert main(["table", str(tmp_path)]) == 1
    assert "no history here" in capsys.readouterr().err


def test_damage_is_named(sample, tmp_path):
    part = tmp_path / "i0000.part001.h5"
    shutil.copy(sample / "islands/i0000.part001.h5", part)
    data = bytearray(part.read_bytes())
    with h5py.File(part, "r", locking=False) as file:
        needle = file["candidates/genome"][31].tobytes()
    data[data.index(needle)] ^= 1
    part.write_bytes(data)
    with pytest.raises(HistoryError, match=r"generation 5: wrong checksum"):
        read_part(part)
    part.write_bytes(data[: len(data) // 2])
    with pytest.raises(HistoryError, match="part001.h5"):
        read_part(part)
    part.write_bytes(b"not HDF5 at all")
    with pytest.raises(HistoryError, match="not an HDF5 file"):
        read_part(part)


def test_a_live_run_is_readable(writer, tmp_path):
    process = subprocess.Popen([writer, "part", tmp_path, "0", "1", "0", "2000"], stdout=subprocess.PIPE)
    try:
        for _ in range(5):
            for _ in range(10):
                said = int(process.stdout.readline())
            island = read_run(tmp_path).islands[0]
            assert len(island.generations) > said
            check_contents(island, len(island.generations))
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kill", range(20))
def test_every_committed_generation_survives_a_kill(writer, tmp_path, kill):
    process = subprocess.Popen([writer, "part", tmp_path, "0", "1", "0", "100000"], stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(random.uniform(0.0, 0.1))
    process.kill()
    said = 1 + process.communicate()[0].count(b"\n")
    with h5py.File(tmp_path / "islands/i0000.part001.h5", "r", swmr=True, locking=False) as file:
        assert len(file["generation"]) >= said
    island = read_run(tmp_path, answers=True).islands[0]
    assert said <= len(island.generations) <= said + 1
    check_contents(island, len(island.generations))
