"""What a run needs, before it: `galapagos plan`; and what the machine offers: `galapagos doctor`."""

import json

import pytest
from conftest import run, run_alone


def plan(config, *options):
    return json.loads(run_alone("plan", config, "--json", *options)[0])


def test_a_plan_of_a_tiny_run(write_config):
    report = plan(write_config(islands=2), "--ranks-per-node", 4, "--tflops", 0.1, "--bandwidth", 10)
    assert (report["islands"], report["evaluators_per_island"]) == (2, 2)
    assert report["genome"]["population"] == 6
    narrow, wide = report["memory"]["widths"][:2]
    assert narrow["fits"] and narrow["arena"] > wide["arena"] > narrow["arena"] / 2 - 1
    assert report["memory"]["smallest_width_that_fits"] == 1
    assert report["run"]["evaluations"] == 2 * 6 * 4
    assert report["communication"]["all_reduce_bytes_per_rank_and_candidate"] == 0
    # 10 contexts of 12 bytes, 3 or so more of each continuation.
    assert 120 < report["work"]["tokens"] < 300
    text = run_alone("plan", write_config(islands=2))[0]
    assert "fits" in text and "candidates an hour" in text and "measured on this processor" in text


def test_what_does_not_fit_is_said(write_config):
    report = plan(write_config(), "--memory-per-node", "1M", "--seconds-per-candidate", 3)
    width = report["memory"]["widths"][0]
    assert not width["fits"] and "needs" in width["why"] and "a node has" in width["why"]
    assert report["memory"]["smallest_width_that_fits"] == 0
    gpu = plan(write_config(), "--gpu-memory", "80G", "--ranks-per-node", 2, "--set", "evaluation.tensor_parallel=2")
    assert gpu["device"] == "gpu" and gpu["memory"]["widths"][-1]["sources"] > 0
    assert gpu["communication"]["all_reduce_bytes_per_rank_and_candidate"] > 0


def test_thousands_of_nodes_with_failures(write_config):
    options = ("--nodes", 1000, "--ranks-per-node", 8, "--seconds-per-candidate", 600, "--set", "islands.count=0", "--repeats", 5)
    calm = plan(write_config(generations=10), *options)
    rough = plan(write_config(generations=10), *options, "--mtbf", "30d", "--node-watts", 1000)
    assert calm["islands"] == 1000 and "failures" not in calm["run"]
    assert rough["run"]["failures"]["mean"] > 1
    assert rough["run"]["wall_seconds"]["p50"] > calm["run"]["wall_seconds"]["p50"]
    assert rough["run"]["energy_kwh"] == pytest.approx(1000 * rough["run"]["wall_seconds"]["p50"] / 3600)


def test_times_are_taken_from_an_earlier_run(write_config, tmp_path):
    config = write_config()
    run(1, "evolve", config, "--run-dir", tmp_path / "run")
    candidates = json.loads(run_alone("history", tmp_path / "run", "--json")[0])["islands"][0]["candidates"]
    seconds = [c["merge_seconds"] + c["evaluation_seconds"] for c in candidates if c["status"] == "evaluated"]
    report = plan(config, "--like", tmp_path / "run")
    assert report["speed"]["seconds_per_candidate"] == pytest.approx(sum(seconds) / len(seconds))


@pytest.mark.parametrize("options, message", [
    (("--gpu-memory", "80X"), "for example --gpu-memory 80G"),
    (("--mtbf", "-1y"), "--mtbf"),
    (("--nodes", "1", "--ranks-per-node", "1", "--set", "islands.count=2"), "need 2 ranks"),
    (("--like", "/no/such/run"), "/no/such/run"),
])
def test_wrong_options_are_refused(write_config, options, message):
    status = 1 if "--like" in options else 2
    assert message in run_alone("plan", write_config(), *options, status=status)[1]


def test_doctor_sees_ranks_locks_and_oversubscription(tmp_path):
    report = json.loads(run(4, "doctor", "--json", "--run-dir", tmp_path)[0])
    (node,) = report["nodes"]
    assert node["ranks"] == [0, 1, 2, 3] and node["threads"] == 4
    assert node["locking"] == "holds" and node["clock_ahead"] == 0
    assert node["memory"] > 0 and node["shm_free"] > 0
    assert not list(tmp_path.iterdir()), "nothing is left behind"
    crowded = any("more threads than cores" in finding["what"] for finding in report["findings"])
    assert crowded == (node["cores"] < 4)
    assert "Findings" in run(2, "doctor")[0]
    assert "no folder" in run(2, "doctor", "--run-dir", tmp_path / "none", status=2)[1]
