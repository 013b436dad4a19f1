"""Evolutions under a real Slurm on four nodes: whatever happens to a job, its run ends with the history of the undisturbed run."""

import json
import re
import subprocess

import pytest
from slurm_cluster import HERE, SOURCE, app, cluster, config, tiny, undisturbed, until  # noqa: F401 (fixtures)

slow = pytest.mark.slow


@pytest.fixture
def run_dir(cluster, request):
    return cluster.folder / request.node.name.replace("[", "-").rstrip("]")


@pytest.fixture(autouse=True)
def empty_queue(cluster):
    """No job of one test stands in another's way."""
    yield
    cluster.run("scancel", "--user=root")
    until(lambda: not cluster.run("squeue", "--noheader").strip(), 60, "the queue is empty")


@pytest.fixture
def started(cluster, config, undisturbed, run_dir):
    """Starts the evolution as a job and waits until some generations are committed."""
    def start(*options, environment=(), arguments=()):
        job = cluster.submit(*options, "slurm/evolve.sbatch", config, "--run-dir", run_dir, *arguments, environment=environment)
        wait_for_progress(job, run_dir)
        return job
    return start


def newest(run_dir):
    """Generations in the newest checkpoint of the slowest island."""
    islands = {}
    for path in (run_dir / "checkpoint").glob("*.ckpt"):
        island, generation = path.stem.split(".g")
        islands[island] = max(islands.get(island, 0), int(generation))
    return min(islands.values()) if len(islands) == 4 else 0


def wait_for_progress(job, run_dir, generations=5, seconds=90):
    def there():
        assert job.state not in ("COMPLETED", "FAILED"), job.log[-3000:]
        return newest(run_dir) >= generations
    until(there, seconds, f"{generations} generations\n{job.log[-3000:]}")


def assert_as_undisturbed(run_dir, undisturbed):
    app.run_alone("verify", run_dir)
    assert app.history(run_dir) == undisturbed


def ranks_on(cluster, node):
    """Pids of the program's ranks on a node, as that node counts them."""
    script = f"grep -lx {app.PROGRAM.resolve().name} /proc/[0-9]*/comm"
    text = cluster.call("on", node, "bash", "-c", script, check=False).stdout
    return [path.split("/")[2] for path in text.split()]


def test_one_island_a_node(cluster, config, undisturbed):
    assert [len(island["candidates"]) for island in undisturbed["islands"]] == 4 * [360]
    app.run_alone("verify", cluster.folder / "undisturbed")


@pytest.mark.parametrize("launcher", ["srun --mpi=pmix", pytest.param("mpirun", marks=slow)])
def test_sigusr1_stops_cleanly_and_the_job_requeues_itself(cluster, started, run_dir, undisturbed, launcher):
    job = started(environment=[f"GALAPAGOS_LAUNCHER={launcher}"])
    cluster.run("scancel", "--batch", "--signal=USR1", job.number)
    job.finished()
    assert job.restarts == 1
    assert "status 75" in job.log and "back into the queue" in job.log
    assert_as_undisturbed(run_dir, undisturbed)


@slow
def test_sigusr1_to_the_ranks_alone(cluster, started, run_dir, undisturbed):
    job = started()
    cluster.run("scancel", "--signal=USR1", job.number)
    job.finished()
    assert job.restarts == 1
    assert_as_undisturbed(run_dir, undisturbed)


@pytest.mark.parametrize("victim, launcher", [
    ("n1", "srun --mpi=pmix"), pytest.param("n3", "srun --mpi=pmix", marks=slow), pytest.param("n3", "mpirun", marks=slow)])
def test_kill_9_of_one_rank(cluster, started, run_dir, undisturbed, victim, launcher):
    """n1 holds the coordinator, n3 the root of another island."""
    job = started(environment=[f"GALAPAGOS_LAUNCHER={launcher}"])
    [rank] = ranks_on(cluster, victim)
    cluster.call("on", victim, "kill", "-9", rank)
    job.finished()
    assert job.restarts == 1
    assert_as_undisturbed(run_dir, undisturbed)


@pytest.mark.parametrize("victim", ["n1", pytest.param("n3", marks=slow)])
def test_a_node_loses_power(cluster, started, run_dir, undisturbed, victim):
    """n1 runs the batch script."""
    job = started()
    cluster.call("power-off", victim)
    try:
        until(lambda: job.restarts == 1, 120, "Slurm notices")
    finally:
        cluster.call("power-on", victim)
    job.finished()
    assert_as_undisturbed(run_dir, undisturbed)


@slow
def test_time_limit(cluster, config, run_dir):
    """The program leaves in time by itself, and the job comes back with a new allocation."""
    evolve = ["slurm/evolve.sbatch", config, "--run-dir"]
    job = cluster.submit("--time=1", "--signal=B:USR1@5", *evolve, run_dir, "--set", "budget.generations=100000")
    until(lambda: job.restarts == 1, 100, f"the job requeues itself\n{job.log[-3000:]}")
    assert "status 75" in job.log
    reached = newest(run_dir)
    wait_for_progress(job, run_dir, reached + 10)
    cluster.run("scancel", job.number)
    job.wait()
    # The search has no end of its own here: another job brings it to one that a run without interruption reaches as well.
    budget = ["--set", f"budget.generations={newest(run_dir) + 20}"]
    cluster.submit(*evolve, run_dir, *budget).finished()
    cluster.submit(*evolve, f"{run_dir}-whole", *budget).finished()
    assert_as_undisturbed(run_dir, app.history(f"{run_dir}-whole"))


@slow
def test_preemption(cluster, started, run_dir, undisturbed):
    job = started()
    urgent = cluster.run("sbatch", "--parsable", "--partition=urgent", "--nodes=4", "--exclusive", "--output=/dev/null", "--wrap=true")
    job.finished()
    assert urgent and job.restarts == 1
    assert_as_undisturbed(run_dir, undisturbed)


def test_scancel_is_final_and_two_nodes_go_on_where_four_stopped(cluster, config, started, run_dir, undisturbed):
    """Each of the two nodes adopts an island of the others."""
    job = started()
    cluster.run("scancel", job.number)
    assert job.wait() == "CANCELLED" and job.restarts == 0
    fewer = cluster.submit("slurm/evolve.sbatch", config, "--run-dir", run_dir, nodes=2).finished()
    assert "4 islands on 2 hosts" in fewer.log
    assert_as_undisturbed(run_dir, undisturbed)


def test_islands_join_on_more_nodes(cluster, config, run_dir):
    evolve = ["slurm/evolve.sbatch", config, "--run-dir", run_dir, "--set"]
    cluster.submit(*evolve, "budget.generations=8", nodes=2).finished()
    before = app.history(run_dir)["islands"]
    cluster.submit(*evolve, "budget.generations=14").finished()
    app.run_alone("verify", run_dir)
    islands = app.history(run_dir)["islands"]
    assert [len(island["generations"]) for island in islands] == [14, 14, 6, 6]
    assert [island["candidates"][:48] for island in islands[:2]] == [island["candidates"] for island in before]
    assert "joins the run at generation 8" in (run_dir / "log/i0003.log").read_text()


def test_a_hung_rank_is_named_and_the_job_comes_back(cluster, started, run_dir, undisturbed):
    job = started(arguments=["--set", "islands.watchdog=8"])
    [rank] = ranks_on(cluster, "n3")
    cluster.call("on", "n3", "kill", "-STOP", rank)
    job.finished()
    assert job.restarts == 1
    assert re.search(r"rank 2 hangs \(its process has not run for .*; it was .*; host n3, process \d+\)", job.log)
    assert_as_undisturbed(run_dir, undisturbed)


def test_a_full_disk_ends_the_job_and_loses_nothing(cluster, config, undisturbed):
    run_dir = cluster.small_disk / "run"
    ballast = cluster.small_disk / "ballast"
    ballast.write_bytes(b"x" * 1_500_000)
    evolve = ["slurm/evolve.sbatch", config, "--run-dir", run_dir]
    job = cluster.submit(*evolve)
    assert job.wait() == "FAILED" and job.restarts == 0
    assert "no space" in job.log.lower()
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=200m", cluster.small_disk], check=True)
    cluster.submit(*evolve).finished()
    assert_as_undisturbed(run_dir, undisturbed)


@slow
def test_the_quickstart_loses_a_node(cluster, run_dir):
    """The quickstart as it is, on two nodes, one of which is switched off on the way."""
    job = cluster.submit("slurm/evolve.sbatch", "jobs/quickstart/evolve.yaml", "--run-dir", run_dir, nodes=2)

    def both_islands_have_one():
        assert job.state not in ("COMPLETED", "FAILED"), job.log[-3000:]
        return len({path.name.split(".")[0] for path in run_dir.glob("checkpoint/*.ckpt")}) == 2
    until(both_islands_have_one, 600, "checkpoints")
    cluster.call("power-off", "n2")
    try:
        until(lambda: job.restarts == 1, 120, "Slurm notices")
    finally:
        cluster.call("power-on", "n2")
    job.finished(1500)
    app.run_alone("verify", run_dir)
    result = json.loads((run_dir / "best/result.json").read_text())
    assert result["test"]["fitness"] > 0.6  # the uniform merge has 0.60, the parents 0


@slow
def test_two_jobs_on_one_run_directory(cluster, config, run_dir, undisturbed):
    """Two nodes each; the second is refused, the first does not notice."""
    options = ["slurm/evolve.sbatch", config, "--run-dir", run_dir, "--set", "islands.count=4"]
    first = cluster.submit("--ntasks-per-node=2", *options, nodes=2)
    until(lambda: (run_dir / "run.h5").exists(), 60, f"the first begins\n{first.log[-3000:]}")
    second = cluster.submit("--ntasks-per-node=2", *options, nodes=2)
    assert second.wait() == "FAILED" and second.restarts == 0
    assert "the run directory is in use" in second.log
    first.finished()
    assert_as_undisturbed(run_dir, undisturbed)


@slow
def test_a_stop_file_is_final(cluster, config, started, run_dir, undisturbed):
    job = started()
    (run_dir / "stop").touch()
    assert job.wait() == "FAILED" and job.restarts == 0  # Slurm calls every status but 0 so
    assert job.show("ExitCode") == "75:0"
    cluster.submit("slurm/evolve.sbatch", config, "--run-dir", run_dir).finished()
    assert_as_undisturbed(run_dir, undisturbed)


def test_chained_jobs_resume(cluster, config, started, run_dir, undisturbed):
    job = started("--no-requeue")
    chained = cluster.submit(f"--dependency=afterany:{job.number}", "slurm/evolve.sbatch", config, "--run-dir", run_dir)
    cluster.run("scancel", "--batch", "--signal=USR1", job.number)
    chained.finished()
    assert job.restarts == 0 and "may not be requeued" in job.log
    assert_as_undisturbed(run_dir, undisturbed)


@slow
def test_a_job_that_gets_nowhere_gives_up(cluster, config, run_dir):
    """A program that dies at once."""
    program = cluster.folder / "dies"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    job = cluster.submit("slurm/evolve.sbatch", config, "--run-dir", run_dir,
                         environment=[f"GALAPAGOS={program}", "GALAPAGOS_FRUITLESS=2"])
    assert job.wait() == "FAILED"
    assert job.restarts == 2 and "2 restarts in a row without a new generation" in job.log


def test_array_over_seeds_and_settings(cluster, config, tmp_path):
    settings = tmp_path / "sizes.txt"
    settings.write_text("seed=3 search.optimizer.population=4\nsearch.optimizer.population=5\n")
    fast = ["--set", "budget.generations=3"]
    base = cluster.folder / "tuned"
    seeds = cluster.submit("--array=1-2", "slurm/tune.sbatch", config, *fast, "--run-dir", base, nodes=1)
    sizes = cluster.submit("--array=1-2", "slurm/tune.sbatch", config, "--settings", settings, *fast, "--run-dir", base, nodes=1)
    until(lambda: not cluster.run("squeue", "--noheader").strip(), 120, "both arrays end")
    assert seeds.state == sizes.state == "COMPLETED"
    counts = {name: len(app.history(f"{base}-{name}")["islands"][0]["candidates"]) for name in ("seed1", "seed2", "sizes-1", "sizes-2")}
    assert counts == {"seed1": 18, "seed2": 18, "sizes-1": 12, "sizes-2": 15}


def test_models_are_staged_once_a_node_and_kept_across_a_requeue(cluster, started, run_dir, undisturbed):
    """A node's /tmp is its own here."""
    def copies(node):
        return cluster.call("on", node, "find", "/tmp/stage", "-type", "f", "-name", "*.safetensors", "-printf", "%p %T@\\n").stdout
    job = started(environment=["GALAPAGOS_STAGE=/tmp/stage"])
    first = {node: copies(node) for node in ("n1", "n2", "n3", "n4")}
    assert all(text.count("\n") == 3 for text in first.values()), first
    cluster.run("scancel", "--batch", "--signal=USR1", job.number)
    job.finished()
    assert job.restarts == 1
    assert {node: copies(node) for node in first} == first
    for node in first:
        assert job.log.count(f"{node}: 3 of 3 models staged in /tmp/stage") == 2
    assert_as_undisturbed(run_dir, undisturbed)


def test_doctor_sees_the_allocation(cluster, tmp_path):
    script = tmp_path / "doctor.sbatch"
    script.write_text("#!/usr/bin/env bash\ncd \"$SLURM_SUBMIT_DIR\" && source slurm/job.sh && prepare && launch doctor \"$@\"\n")
    job = cluster.submit("--ntasks-per-node=2", "--time=5", script, "--json", "--run-dir", cluster.folder).finished()
    report = json.loads(job.log[job.log.index("\n{") : job.log.rindex("\n}") + 2])
    assert report["ranks"] == 8
    assert sorted(node["host"] for node in report["nodes"]) == ["n1", "n2", "n3", "n4"]
    assert all(len(node["ranks"]) == 2 and node["gpus"] == {} for node in report["nodes"])
    assert sorted(rank for node in report["nodes"] for rank in node["ranks"]) == list(range(8))
    slurm = report["slurm"]
    assert slurm["job"].isdigit() and slurm["started_by_pmix"] and "pmix" in slurm["mpi_plugins"]
    assert 0 < slurm["seconds_left"] <= 300
    findings = [finding["what"] for finding in report["findings"]]
    assert any("wall time" in what for what in findings)
    assert not any("PMIx" in what for what in findings), findings


def test_debug_job(cluster, config):
    job = cluster.submit("slurm/debug.sbatch", config, nodes=1).finished()
    assert "Software" in job.log and "best candidate" in job.log


def test_a_wrong_config_ends_the_job(cluster, config, tmp_path, run_dir):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(config.read_text().replace("seed: 3", "sead: 3"))
    job = cluster.submit("slurm/evolve.sbatch", wrong, "--run-dir", run_dir)
    assert job.wait() == "FAILED" and job.restarts == 0
    assert "sead" in job.log and not run_dir.exists()


def test_the_scripts_are_sound_shell():
    scripts = [*SOURCE.glob("slurm/*.sh"), *SOURCE.glob("slurm/*.sbatch"), *SOURCE.glob("slurm/profiles/*.sh"), *HERE.glob("*.sh")]
    assert len(scripts) >= 9
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
