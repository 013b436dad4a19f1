"""Layer paths and slices through the program: evaluated from a recipe file, written to a folder, and refused where they are wrong."""

import json

import pytest
from conftest import run, run_alone


@pytest.fixture
def write_path(tiny, tmp_path):
    """Writes a recipe; {a} and {b} in its hops are the tiny models."""
    def write(hops, extra=""):
        path = tmp_path / "path.yaml"
        lines = "".join(f"    - {hop.format(a=tiny / 'a', b=tiny / 'b')}\n" for hop in hops)
        path.write_text(f"base_model: {tiny}/a\nlayer_path:\n  scale_rule: branch\n  hops:\n{lines}{extra}")
        return path
    return write


def scores(tiny, model, ranks=1):
    out, _ = run(ranks, "evaluate", model, tiny / "task.yaml", "--dtype", "fp32", "--threads", "1", "--json", "--answers")
    return [answer["score"] for result in json.loads(out)["results"] for answer in result["answers"]]


def test_every_layer_once_is_the_model(tiny, write_path):
    assert scores(tiny, write_path(["{{model: {a}, layer_range: [0, 4]}}"])) == scores(tiny, tiny / "a")


def test_a_path_scores_as_its_folder(tiny, write_path, tmp_path):
    hops = ["{{model: {a}, layer_range: [0, 3]}}", "{{model: {b}, layer: 1, scale: 0.8}}", "{{model: {a}, layer: 1}}",
            "{{model: {a}, layer: 3, scale: 1.25}}"]
    path = write_path(hops)
    run_alone("merge", path, tmp_path / "out")
    assert json.loads((tmp_path / "out/config.json").read_text())["num_hidden_layers"] == 6
    assert (tmp_path / "out/mergekit_config.yml").read_text() == path.read_text()
    expected = scores(tiny, tmp_path / "out")
    assert expected != pytest.approx(scores(tiny, tiny / "a"), abs=1e-2)
    for ranks in (1, 2, 4):
        assert scores(tiny, path, ranks) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("ranges", [[("a", 0, 3), ("b", 1, 4)], [("b", 0, 1), ("a", 3, 4)]])
def test_a_stack_of_slices_scores_as_its_folder(tiny, tmp_path, ranges):
    recipe = tmp_path / "stack.yaml"
    recipe.write_text("merge_method: passthrough\nslices:\n" + "".join(
        f"  - sources: [{{model: {tiny / model}, layer_range: [{begin}, {end}]}}]\n" for model, begin, end in ranges))
    run_alone("merge", recipe, tmp_path / "out")
    assert scores(tiny, recipe, 2) == pytest.approx(scores(tiny, tmp_path / "out"), abs=1e-4)


@pytest.mark.parametrize("hop, message", [
    ("{{model: {a}, layer: 4}}", "layer 4 of"),
    ("{{model: {a}, layer_range: [2, 9]}}", "layer 4 of"),
    ("{{model: {a}, layer: 0, scale: .nan}}", "path.yaml:5: layer_path.hops[0].scale"),
    ("{{model: {a}, layers: 0}}", "did you mean 'layer'?"),
    ("{{model: {a}/nothing, layer: 0}}", "a/nothing"),
    ("[0]", "expected a map"),
])
def test_a_wrong_hop_is_refused_once(tiny, write_path, tmp_path, hop, message):
    path = write_path([hop])
    for arguments in (["evaluate", path, tiny / "task.yaml"], ["merge", path, tmp_path / "out"]):
        _, err = run_alone(*arguments, status=1 if "nothing" in hop else 2)
        assert message in err and err.count("galapagos: ") == 1, err
    assert not (tmp_path / "out").exists()


def test_several_ranks_refuse_once(tiny, write_path):
    _, err = run(2, "evaluate", write_path(["{{model: {a}, layer: 4}}"]), tiny / "task.yaml", status=2)
    assert "layer 4 of" in err and err.count("galapagos: ") == 1


def test_what_no_folder_can_say_is_refused_by_name(write_path, tmp_path):
    path = write_path(["{{model: {a}, layer: 0, scale: 0.5}}"])
    _, err = run_alone("merge", path, tmp_path / "out", status=2)
    assert "hop 0, layer 0 of" in err and "output head" in err and "evaluate" in err
    _, err = run_alone("merge", write_path(["{{model: {a}, layer: 0}}"], "parameters: {t: 1}\n"), tmp_path / "out", status=2)
    assert "has no 'parameters'" in err
