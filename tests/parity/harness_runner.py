"""Runs lm_eval, and config/import_harness.py, in the environment that has lm_eval: harness_runner.py JOBS.json.

JOBS holds `include_path`, `evaluate` (for each run the arguments of lm_eval.simple_evaluate) and `import` (for each run the
arguments of the tool, to which the include path is added). REPLY.json beside it gets the results of both: the samples by
task, and what the tool printed, or said when it refused.
"""
import contextlib
import functools
import io
import json
import pathlib
import sys

import lm_eval
import lm_eval.tasks

JOBS = pathlib.Path(sys.argv[1])
jobs = json.loads(JOBS.read_text())


class OwnTasks(lm_eval.tasks.TaskManager):
    """Without the thousands of tasks that come with lm_eval, which take long to look through."""

    def __init__(self, include_path):
        super().__init__(include_path=include_path, include_defaults=False)


lm_eval.tasks.TaskManager = OwnTasks
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "config"))
import import_harness  # noqa: E402


@functools.cache
def model(folder):
    return lm_eval.api.registry.get_model("hf")(pretrained=folder, dtype="float32", device="cpu", batch_size=1)


def evaluate(arguments):
    result = lm_eval.simple_evaluate(
        **(arguments | {"model": model(arguments["model"])}), task_manager=OwnTasks(jobs["include_path"]), bootstrap_iters=0
    )
    return {"results": result["results"], "samples": result["samples"]}


def import_task(arguments):
    sys.argv = ["import_harness.py", *arguments, "--include-path", jobs["include_path"]]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            import_harness.main()
        except SystemExit as error:
            return {"refusal": str(error)}
    return {"printed": printed.getvalue()}


reply = {"evaluate": [evaluate(job) for job in jobs["evaluate"]], "import": [import_task(job) for job in jobs["import"]]}
JOBS.with_name("reply.json").write_text(json.dumps(reply, default=str))
