"""Environments of the projects we compare with: one each, borrowing torch and transformers from the tests'."""

import os
import pathlib
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))


def mergekit_python():
    return peer_python("mergekit", "0.1.5")


def lm_eval_python():
    """lm-evaluation-harness."""
    return peer_python("lm_eval", "0.4.13")


def peer_python(package, version):
    """The interpreter of the environment that has the package; made the first time."""
    folder = DEPS / f"{package}-{version}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        site = next(folder.glob("lib/python3*/site-packages"))
        (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{package}=={version}"], check=True)
        (folder / "complete").touch()
    return python
