"""Data that several tests share."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parents[3]


def read_idx(folder, name):
    with gzip.open(folder / name) as file:
        data = file.read()
    dims = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(dims)).reshape(dims[0], -1).squeeze()


@pytest.fixture(scope="session")
def mnist_folder():
    folder = Path(os.environ.get("PICOMLP_MNIST") or ROOT.parent / "shared" / "mnist")
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        pytest.skip(f"no MNIST in {folder}: set PICOMLP_MNIST")
    return folder


@pytest.fixture(scope="session")
def mnist(mnist_folder):
    """Training images and labels, test images and labels."""
    parts = [(part, kind) for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    return [read_idx(mnist_folder, f"{part}-{kind}-ubyte.gz") for part, kind in parts]


@pytest.fixture(scope="session")
def digits():
    return load_digits(return_X_y=True)
