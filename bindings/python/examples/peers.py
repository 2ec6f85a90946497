"""MNIST side by side with scikit-learn's MLPClassifier: 784-128-10, Adam, batches of 64, ten epochs.

    PICOMLP_MNIST=mnist/ python peers.py
"""

import gzip
import os
import time
import warnings
from pathlib import Path

import numpy as np
from picomlp import MLPClassifier
from sklearn import neural_network


def read(name):
    with gzip.open(Path(os.environ["PICOMLP_MNIST"], name)) as file:
        data = file.read()
    header = 4 + 4 * data[3]
    return np.frombuffer(data, np.uint8, offset=header).reshape(int.from_bytes(data[4:8], "big"), -1).squeeze()


X, y, X_test, y_test = (
    read(f"{part}-{kind}-ubyte.gz") for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
)
peers = {
    "picomlp": (MLPClassifier(epochs=10, val_split=0), X, X_test),
    "picomlp, one thread": (MLPClassifier(epochs=10, val_split=0, threads=1), X, X_test),
    "scikit-learn": (
        neural_network.MLPClassifier(128, batch_size=64, max_iter=10, alpha=0, random_state=1),
        (X / 255).astype(np.float32),
        (X_test / 255).astype(np.float32),
    ),
}
warnings.simplefilter("ignore")
print(f"{'':20}  {'fit':>8}  {'predict':>8}  test accuracy")
for name, (model, train, test) in peers.items():
    began = time.perf_counter()
    model.fit(train, y)
    fitted = time.perf_counter()
    accuracy = (model.predict(test) == y_test).mean()
    done = time.perf_counter()
    print(f"{name:20}  {fitted - began:6.2f} s  {1000 * (done - fitted):5.0f} ms  {100 * accuracy:.2f} %")
