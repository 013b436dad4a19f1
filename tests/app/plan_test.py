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


def test_a_plan_for_gpus_says_where_the_sources_lie(write_config):
    options = ("--ranks-per-node", 2, "--set", "evaluation.tensor_parallel=2")
    report = plan(write_config(), "--gpu-memory", "80G", *options)
    assert report["device"] == "gpu" and report["communication"]["all_reduce_bytes_per_rank_and_candidate"] > 0
    one, two = report["memory"]["widths"]
    beside_sources = ("arena", "decoder", "statistics", "tables", "libraries", "context", "next_candidate", "source_window")
    parts = (*beside_sources, "sources")
    for width in (one, two):
        assert width["fits"] and width["sources_lie_in"] == "gpu" and "lie in the GPU's memory" in width["why"]
        assert width["rank"] == sum(width[part] for part in parts)
    assert two["sources"] < one["sources"] and two["arena"] < one["arena"]

    def verdict(gpu_memory, node_memory="8G"):
        sizes = ("--gpu-memory", gpu_memory, "--memory-per-node", node_memory)
        return plan(write_config(), *sizes, *options)["memory"]["widths"][0]

    assert verdict(one["rank"])["sources_lie_in"] == "gpu"
    pinned = verdict(one["rank"] - 1)
    assert pinned["fits"] and pinned["sources_lie_in"] == "pinned_host" and "in pinned memory of the host, since" in pinned["why"]
    assert pinned["next_candidate"] == pinned["arena"] and "A second candidate fits too" in pinned["why"]
    assert pinned["rank"] == sum(pinned[part] for part in beside_sources)
    alone = verdict(pinned["rank"] - 1)
    assert alone["fits"] and alone["next_candidate"] == 0 and alone["rank"] == pinned["rank"] - alone["arena"]
    streamed = verdict(one["rank"] - 1, "1K")
    assert streamed["fits"] and streamed["sources_lie_in"] == "mapped_files" and "stay in their files, since" in streamed["why"]
    assert 0 < streamed["source_window"] <= streamed["sources"] and streamed["next_candidate"] == 0
    assert streamed["rank"] == sum(streamed[part] for part in beside_sources)
    assert streamed["merges_read"] == "disk"  # of a node that can cache nothing
    # The least window: the part of a tensor of all sources.
    least = verdict(streamed["rank"] - streamed["source_window"] + 1, "1K")
    assert not least["fits"] and "a window of" in least["why"]
    small = verdict(one["rank"] - one["sources"] - one["statistics"] - 1)
    assert not small["fits"] and "a candidate doesn't fit" in small["why"]
    text = run_alone("plan", write_config(), "--gpu-memory", "80G", *options)[0]
    assert "The sources (" in text and "no GPU has run one yet" in text


def test_sources_that_a_gpu_does_not_hold_come_over_its_bus(write_config):
    options = ("--tflops", 100, "--bandwidth", 1000, "--bus-bandwidth", 0.001, "--memory-per-node", "8G")
    def at(gpu_memory, *more):
        report = plan(write_config(), "--gpu-memory", gpu_memory, *options, *more)
        (width,) = report["memory"]["widths"]
        return width, report["speed"]
    held, fast = at("80G")
    pinned, beside = at(held["rank"] - 1)
    alone, slow = at(pinned["rank"] - 1)
    assert pinned["next_candidate"] > 0 and alone["next_candidate"] == 0
    over_the_bus = held["sources"] / 1e6
    assert beside["merge_seconds"] == slow["merge_seconds"] == pytest.approx(over_the_bus) and fast["merge_seconds"] < 1e-3 * over_the_bus
    assert (fast["merges_overlap"], beside["merges_overlap"], slow["merges_overlap"]) == (False, True, False)
    evaluation = fast["seconds_per_candidate"] - fast["merge_seconds"]
    assert slow["seconds_per_candidate"] == pytest.approx(over_the_bus + evaluation)
    assert beside["seconds_per_candidate"] == pytest.approx(max(over_the_bus, evaluation))
    assert slow["figures"] == "the figures given" and slow["bus_gigabytes_per_second"] == pytest.approx(0.001)
    text = run_alone("plan", write_config(), "--gpu-memory", held["rank"] - 1, *options)[0]
    assert "GB/s from the host" in text and "beside the evaluation before" in text


def test_sums_over_gpus_take_time_by_their_link(write_config):
    def at(width, *more):
        options = ("--ranks-per-node", width, "--set", f"evaluation.tensor_parallel={width}", "--tflops", 100, "--bandwidth", 1000, *more)
        return plan(write_config(), "--gpu-memory", "80G", *options)["speed"]
    assert at(1)["sums_seconds"] == 0
    usual, slow = at(2), at(2, "--link-bandwidth", 0.001)
    assert usual["link_gigabytes_per_second"] == pytest.approx(315) and slow["link_gigabytes_per_second"] == pytest.approx(0.001)
    assert 0 < usual["sums_seconds"] < slow["sums_seconds"]
    assert slow["seconds_per_candidate"] - usual["seconds_per_candidate"] == pytest.approx(slow["sums_seconds"] - usual["sums_seconds"])
    assert slow["figures"].endswith("and the figures given")
    complete = at(2, "--link-bandwidth", 300, "--bus-bandwidth", 40)
    assert complete["figures"] == "the figures given"


def test_a_plan_says_what_merges_read_whose_sources_stay_in_their_files(write_config):
    """The files lie in a node's memory once, statistics and pinned copies once for each of eight ranks."""
    config = write_config(method="linear")
    largest = plan(config, "--gpu-memory", "80G")["memory"]["widths"][0]
    on_cpu = plan(config)["memory"]["widths"][0]
    cached = int(on_cpu["mapped_per_node"]) + 8 * on_cpu["statistics"]
    for memory, read, said in ((cached, "page_cache", "holds all files of the sources"), (cached - 1, "disk", "can't cache all files")):
        options = ("--ranks-per-node", 8, "--gpu-memory", largest["rank"] - 1, "--memory-per-node", memory)
        width = plan(config, *options)["memory"]["widths"][0]
        assert (width["sources_lie_in"], width["merges_read"]) == ("mapped_files", read)
        text = run_alone("plan", config, *options)[0]
        assert "fits, sources streamed from their files" in text and said in text


def test_ranks_of_magnitudes_are_planned_for_where_the_search_may_ask(write_config):
    statistics = []
    for methods in ("linear", "ties", "della", "[ties, della]"):
        report = plan(write_config(), "--gpu-memory", "80G", "--set", f"merge.method={methods}")
        statistics.append(report["memory"]["widths"][0]["statistics"])
    linear, ties, della, both = statistics
    assert linear == 0 and ties > 0 and della > 0 and both >= max(ties, della)


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
