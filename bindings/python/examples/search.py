"""A search over hyper-parameters on all cores of one machine, or of many: with joblib, Dask or Ray Tune.

    python search.py joblib|dask|ray

All three find the same best network, with the same fingerprint.
"""

import sys
import tempfile

from picomlp import MLPClassifier
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score

GRID = {"hidden": [(16,), (32,), (32, 16)], "lr": [0.01, 0.003]}
# One thread each: the search keeps the cores busy, and the model does not depend on the number of threads.
MODEL = MLPClassifier(epochs=10, batch_size=32, threads=1)


def with_joblib(X, y):
    """Processes on this machine."""
    return GridSearchCV(MODEL, GRID, cv=3, n_jobs=2).fit(X, y).best_estimator_


def with_dask(X, y):
    """The workers of a Dask cluster: `Client("tcp://scheduler:8786")` in place of the local one."""
    import joblib
    from dask.distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        with joblib.parallel_backend("dask"):
            return GridSearchCV(MODEL, GRID, cv=3).fit(X, y).best_estimator_


def with_ray(X, y):
    """The nodes of a Ray cluster: `ray.init("auto")` in place of the local one."""
    import ray
    from ray import tune

    def score(config):
        return {"accuracy": cross_val_score(clone(MODEL).set_params(**config), X, y, cv=3).mean()}

    ray.init(num_cpus=2, include_dashboard=False)
    try:
        space = {name: tune.grid_search(values) for name, values in GRID.items()}
        with tempfile.TemporaryDirectory() as folder:
            storage = tune.RunConfig(storage_path=folder, verbose=0)
            results = tune.Tuner(score, param_space=space, run_config=storage).fit()
            best = results.get_best_result("accuracy", "max").config
    finally:
        ray.shutdown()
    return clone(MODEL).set_params(**best).fit(X, y)


if __name__ == "__main__":
    X, y = load_digits(return_X_y=True)
    best = globals()[f"with_{sys.argv[1]}"](X, y)
    print(f"hidden {best.hidden}, lr {best.lr}: fingerprint {best.fingerprint}")
