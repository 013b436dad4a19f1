"""A run keeps its islands on fewer ranks, and gets more on more."""

from conftest import history, run, run_alone


def test_fewer_ranks_adopt_the_islands(write_config, tmp_path):
    config = write_config(islands=4, generations=5, optimizer="cma_es", method="ties")
    run(4, "evolve", config, "--run-dir", tmp_path / "undisturbed")
    run(4, "evolve", config, "--run-dir", tmp_path / "run", "--set", "budget.generations=2")
    printed, _ = run(3, "evolve", config, "--run-dir", tmp_path / "run", "--set", "budget.generations=4")
    assert "4 islands on 3 hosts" in printed
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    run_alone("verify", tmp_path / "run")
    assert history(tmp_path / "run") == history(tmp_path / "undisturbed")


def test_new_islands_begin_with_the_elites_of_the_others(write_config, tmp_path):
    config = write_config(islands=2, generations=3)
    run_dir = tmp_path / "run"
    run(2, "evolve", config, "--run-dir", run_dir)
    before = history(run_dir)["islands"]
    run(4, "evolve", config, "--run-dir", run_dir, "--set", "islands.count=4", "--set", "budget.generations=6")
    run_alone("verify", run_dir)
    islands = history(run_dir)["islands"]
    numbers = [[generation["generation"] for generation in island["generations"]] for island in islands]
    assert numbers == [list(range(6)), list(range(6)), [3, 4, 5], [3, 4, 5]]
    for old, now in zip(before, islands):
        assert now["candidates"][:len(old["candidates"])] == old["candidates"]
    ids = {candidate["id"] for island in before for candidate in island["candidates"]}
    for island in islands[2:]:
        children = [parent for candidate in island["candidates"] for parent in candidate["parents"]]
        assert ids & set(children), "nothing descends from the old islands"
    assert "joins the run at generation 3, with 3 elites" in (run_dir / "log/i0003.log").read_text()
    # And the larger run resumes like any other.
    run(2, "evolve", config, "--run-dir", run_dir, "--set", "islands.count=4", "--set", "budget.generations=8")
    run_alone("verify", run_dir)
    assert [len(island["generations"]) for island in history(run_dir)["islands"]] == [8, 8, 5, 5]


def test_islands_are_not_dropped(write_config, tmp_path):
    config = write_config(islands=2, generations=1)
    run(2, "evolve", config, "--run-dir", tmp_path / "run")
    before = (tmp_path / "run/run.yaml").read_text()
    _, error = run(2, "evolve", config, "--run-dir", tmp_path / "run", "--set", "islands.count=1", status=2)
    assert "a run keeps its islands (it has 2, islands.count is 1)" in error
    assert (tmp_path / "run/run.yaml").read_text() == before
