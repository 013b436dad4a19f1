"""A Slurm cluster of four nodes for all tests of this folder, and jobs on it."""

import importlib.util
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
# The tiny models and the reader of histories are those of tests/app. Under a name of its own, and no conftest.py here: tests
# import `conftest`, so there can be only one.
_spec = importlib.util.spec_from_file_location("tiny_evolutions", SOURCE / "tests/app/conftest.py")
app = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(app)

ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY", "PREEMPTED"}


def until(condition, seconds, what):
    """Waits for the condition and returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


class Cluster:
    """The cluster of cluster.sh."""

    def __init__(self, folder):
        self.environment = dict(os.environ, GALAPAGOS_CLUSTER=str(folder / "cluster"), GALAPAGOS=str(app.PROGRAM.resolve()))
        self.folder = folder
        self.small_disk = folder / "small"  # a file system of 2 MiB that all nodes see

    def __repr__(self):
        return f"Cluster({self.folder})"

    def call(self, *arguments, check=True):
        done = subprocess.run([HERE / "cluster.sh", *map(str, arguments)], env=self.environment, cwd=SOURCE, capture_output=True,
                              text=True, timeout=120)
        if check:
            assert done.returncode == 0, f"{arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run(self, *arguments, check=True):
        return self.call("run", *arguments, check=check).stdout

    def submit(self, *arguments, environment=(), nodes=4):
        log = self.folder / "job-%j.log"
        set_variables = ["env", *environment] if environment else []
        job = self.run(*set_variables, "sbatch", "--parsable", f"--nodes={nodes}", "--cpus-per-task=1", f"--output={log}", *arguments).strip()
        return Job(self, job)


class Job:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number

    def show(self, key):
        text = self.cluster.run("scontrol", "--oneliner", "show", "job", self.number)
        return re.search(rf"\b{key}=(\S*)", text).group(1)

    @property
    def state(self):
        return self.show("JobState")

    @property
    def restarts(self):
        return int(self.show("Restarts"))

    @property
    def log(self):
        path = self.cluster.folder / f"job-{self.number}.log"
        return path.read_text() if path.exists() else ""

    def wait(self, seconds=300):
        state = until(lambda: self.state if self.state in ENDED else None, seconds, f"job {self.number} ends\n{self.log[-3000:]}")
        return state

    def finished(self, seconds=300):
        """Waits until the job is done well."""
        assert self.wait(seconds) == "COMPLETED", self.log[-3000:]
        return self


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    cluster = Cluster(folder)
    cluster.small_disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", cluster.small_disk], capture_output=True).returncode != 0:
        pytest.skip("no test cluster: mounting a file system needs root")
    shared = {tmp_path_factory.getbasetemp(), cluster.small_disk, app.PROGRAM.resolve().parent}
    shared |= {Path(torch.__file__).resolve().parents[4], Path(os.environ.get("GALAPAGOS_DEPS", SOURCE / ".deps")).resolve()}
    up = cluster.call("up", "--cpus", 2, *(word for path in shared if path.exists() for word in ("--share", path)), check=False)
    if up.returncode != 0:
        subprocess.run(["umount", "-l", cluster.small_disk], check=True)
        if re.search("not installed|may not make namespaces", up.stderr):
            pytest.skip(f"no test cluster: {up.stderr.strip()}")
        pytest.fail(up.stderr)
    yield cluster
    cluster.call("down")
    subprocess.run(["umount", "-l", cluster.small_disk], check=True)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return app.make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def config(tiny, tmp_path_factory):
    """An evolution of some 10 seconds on four nodes."""
    path = tmp_path_factory.mktemp("config") / "evolve.yaml"
    path.write_text(app.CONFIG.format(models=tiny, islands=0, generations=60, method="ties", optimizer="cma_es"))
    return path


@pytest.fixture(scope="session")
def undisturbed(cluster, config):
    """The history of the evolution that nobody disturbs."""
    run = cluster.folder / "undisturbed"
    job = cluster.submit("slurm/evolve.sbatch", config, "--run-dir", run).finished()
    assert job.restarts == 0
    return app.history(run)
