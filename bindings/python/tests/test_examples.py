"""The examples of docs/scaling.md and the notebook, run."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

# On every machine, with any number of processes.
BEST = "3c181c4ca87d306e"


@pytest.mark.parametrize("backend", ["joblib", "dask", "ray"])
def test_every_search_ends_in_the_same_best_fingerprint(backend, tmp_path):
    if backend != "joblib":
        pytest.importorskip(backend)
    example = ROOT / "bindings/python/examples/search.py"
    env = os.environ | {"RAY_worker_niceness": "0"}  # a busy machine would let the workers wait
    run = subprocess.run([sys.executable, example, backend], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=400)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1].endswith(f"fingerprint {BEST}")


def test_the_notebook_runs():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    path = ROOT / "docs/notebooks/digits.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": path.parent}}).execute()
    text = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "int8" in text and float(text.split("f32")[1].split()[0]) > 0.9
