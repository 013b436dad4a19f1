"""The environment that has mergekit 0.1.5: its own, borrowing torch and transformers from the tests'."""

import os
import pathlib
import subprocess
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPS = pathlib.Path(os.environ.get("GALAPAGOS_DEPS", ROOT / ".deps"))


def mergekit_python():
    """Its interpreter; made the first time."""
    folder = DEPS / "mergekit-0.1.5"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        site = next(folder.glob("lib/python3*/site-packages"))
        (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "mergekit==0.1.5"], check=True)
        (folder / "complete").touch()
    return python
