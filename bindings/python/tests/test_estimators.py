"""What scikit-learn's users expect of an estimator."""

import ast
import inspect
import json
import os
import pickle
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import picomlp
import pytest
from picomlp import MLPAutoencoder, MLPClassifier, MLPRegressor
from picomlp._base import _SETTINGS
from picomlp._parameters import PARAMETERS
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

QUICK = {"hidden": 16, "epochs": 15, "threads": 1}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        MLPClassifier(epochs=60, threads=1),
        # The checks set `alpha`, which is another optimizer's setting: errors name what does not fit.
        MLPRegressor(epochs=100, threads=1, optimizer="rmsprop"),
        MLPAutoencoder(threads=1),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_scikit_learns_own_checks_pass_without_exceptions(estimator):
    results = check_estimator(estimator, on_skip=None)
    passed = sum(result["status"] == "passed" for result in results)
    print(f"{passed} of {len(results)} checks passed")
    assert passed > 40


def test_weights_of_classes_are_those_of_the_command_line(tmp_path):
    rng = np.random.default_rng(1)
    y = np.array(["few, and far", "many"])[(np.arange(400) % 8 > 0).astype(int)]
    X = rng.normal(size=(400, 3)).astype(np.float32) + (y == "many")[:, None]

    def recall(**settings):
        model = MLPClassifier(**QUICK, **settings).fit(X, y)
        return model.fingerprint, (model.predict(X) == y)[y != "many"].mean()

    plain, balanced = recall(), recall(class_weight="balanced")
    assert balanced[1] > plain[1]
    # Balanced weights are samples / (classes * samples of the class): 400 / (2 * 50) and 400 / (2 * 350).
    assert recall(class_weight={"few, and far": 4, "many": 400 / 700}) == balanced
    assert recall(class_weight={"many": 1}) == plain
    with pytest.raises(ValueError, match="no class is named `none`"):
        recall(class_weight={"none": 1})
    with pytest.raises(ValueError, match="invalid weight of class many"):
        recall(class_weight={"many": -1})
    with pytest.raises(ValueError, match="expected balanced"):
        recall(class_weight="equal")
    with pytest.raises(ValueError, match="depends on all samples"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y)
    if picomlp_cli := os.environ.get("PICOMLP_CLI"):
        rows = [f"{','.join(map(repr, map(float, row)))},{'few' if name != 'many' else name}" for row, name in zip(X, y)]
        (tmp_path / "t.csv").write_text("a,b,c,label\n" + "\n".join(rows))
        flags = ["--hidden", "16", "--epochs", "15", "--test-split", "0", "--class-weight", "balanced", "--json"]
        line = [picomlp_cli, "train", "--data", tmp_path / "t.csv", *flags, "-o", tmp_path / "m.pmlp"]
        done = subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        assert json.loads(done)["fingerprint"] == balanced[0]


def test_a_model_is_the_same_after_pickle_joblib_and_clone(digits, tmp_path):
    X, y = digits
    model = MLPClassifier(**QUICK).fit(X, y)
    joblib.dump(model, tmp_path / "m.joblib")
    for copy in pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "m.joblib"):
        assert copy.fingerprint == model.fingerprint
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    again = clone(model)
    assert not hasattr(again, "model_")
    assert again.fit(X, y).fingerprint == model.fingerprint


def test_grid_search_pipeline_and_cross_validation_take_the_estimators(digits):
    X, y = digits
    search = GridSearchCV(MLPClassifier(**QUICK), {"hidden": [(), (16,), (16, 8)], "lr": [0.01, 0.003]}, cv=3, n_jobs=2)
    search.fit(X, y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_.fingerprint == clone(search.best_estimator_).fit(X, y).fingerprint
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK, scale="none", lr=0.01))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.85


def test_words_and_any_numbers_are_classes(digits):
    X, y = digits
    words = np.array(["even", "odd"])[y % 2]
    model = MLPClassifier(**QUICK).fit(X, words)
    assert list(model.classes_) == ["even", "odd"]
    assert set(model.predict(X)) == {"even", "odd"}
    report = model.evaluate(X, words)
    assert report["accuracy"] == model.score(X, words) > 0.9
    assert report["auc"] > 0.95 and report["confusion"].sum() == len(X)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, atol=1e-6)


def test_a_regressor_predicts_one_value_or_several_in_their_own_units():
    X, y = load_diabetes(return_X_y=True)
    one = MLPRegressor(**QUICK | {"epochs": 100}).fit(X, y)
    assert one.predict(X).shape == y.shape and one.score(X, y) > 0.4
    report = one.evaluate(X, y)
    assert abs(report["r2"] - one.score(X, y)) < 1e-6 and 30 < report["mae"] < 60
    two = MLPRegressor(**QUICK | {"epochs": 100}).fit(X, np.c_[y, -y])
    assert two.predict(X).shape == (len(y), 2) and two.score(X, np.c_[y, -y]) > 0.4


def test_an_autoencoder_tells_what_is_not_normal(digits):
    X, y = digits
    X = X[:, X.std(axis=0) > 0]
    model = MLPAutoencoder(hidden=8, epochs=200, threads=1, contamination=0.05).fit(X[y == 0])
    assert (model.predict(X[y == 0]) == 1).mean() == pytest.approx(0.95, abs=0.01)
    assert (model.predict(X[y != 0]) == -1).mean() > 0.9
    assert model.reconstruct(X).shape == X.shape
    assert model.evaluate(X, y != 0)["auc"] > 0.95


def test_columns_of_a_data_frame_are_found_by_their_names(digits):
    pandas = pytest.importorskip("pandas")
    X, y = digits
    frame = pandas.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    model = MLPClassifier(**QUICK).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    turned = frame[frame.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(model.predict(turned), model.predict(frame))
    with pytest.raises(ValueError, match="pixel 63"):
        model.predict(frame.drop(columns="pixel 63"))


def test_samples_are_read_where_they_lie(digits):
    X, y = digits
    X = np.ascontiguousarray(X, np.float32)
    X.flags.writeable = False
    model = MLPClassifier(**QUICK).fit(X, y)
    assert model._samples(X) is X
    np.testing.assert_array_equal(model.predict(np.asfortranarray(X, np.float64)), model.predict(X))


def test_errors_are_python_s_with_the_library_s_text(digits, tmp_path):
    X, y = digits
    with pytest.raises(ValueError, match="invalid value '-1' for 'lr': expected a finite number above 0"):
        MLPClassifier(lr=-1).fit(X, y)
    with pytest.raises(ValueError, match="'--momentum' is for `momentum`, `nesterov`, not for `adam`"):
        MLPClassifier(momentum=0.9).fit(X, y)
    with pytest.raises(ValueError, match="unknown value 'rely'"):
        MLPClassifier(activation="rely").fit(X, y)
    with pytest.raises(ValueError, match="expected at least two classes"):
        MLPClassifier().fit(X, np.zeros_like(y))
    with pytest.raises(TypeError, match="unexpected keyword argument 'hiden'"):
        MLPClassifier(hiden=3)
    with pytest.raises(ValueError, match="the loss became NaN or infinite at step"):
        MLPRegressor(optimizer="sgd", lr=1e30, epochs=3).fit(X, y)
    with pytest.raises(FileNotFoundError, match="cannot read .*none.pmlp"):
        picomlp.load(tmp_path / "none.pmlp")
    with pytest.raises(ValueError, match="not a picomlp model"):
        picomlp.load(__file__)
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(X)
    model = MLPClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="the model has no class 10"):
        model.evaluate(X, y + 1)
    with pytest.raises(ValueError, match="image_shape 4x4 holds 16 values, but the samples have 64"):
        MLPClassifier(image_shape=(4, 4)).fit(X.astype(np.uint8), y)
    pixels = MLPClassifier(**QUICK).fit(X.astype(np.uint8), y)
    with pytest.raises(ValueError, match="whole numbers from 0 to 255"):
        pixels.quantize(X).predict(X + 0.5)
    with pytest.raises(ValueError, match="its extension names no format"):
        model.save(tmp_path / "m.txt")


def test_ctrl_c_ends_training_soon_and_leaves_the_best_model(digits):
    X, y = digits
    model = MLPClassifier(epochs=10_000_000, threads=1, val_split=0.1)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert time.monotonic() - began < 5
    assert model.n_iter_ > 0 and model.score(X, y) > 0.8


def test_other_threads_run_while_a_model_is_trained(digits):
    X, y = digits
    training = threading.Thread(target=MLPClassifier(epochs=300, threads=1).fit, args=(X, y))
    training.start()
    turns = 0
    while training.is_alive():
        time.sleep(0.005)
        turns += 1
    assert turns > 10


def test_every_setting_is_documented_and_typed():
    parameters = set(inspect.signature(MLPClassifier).parameters)
    assert parameters == {*_SETTINGS, "class_weight", "image_shape", "verbose"}
    assert "class_weight" in MLPClassifier.__doc__
    parameters.remove("class_weight")  # the others have no classes
    for names, default in re.findall(r"^    ([\w, ]+) : .*default=(.+)$", PARAMETERS, re.MULTILINE):
        for name in names.split(", "):
            assert ast.literal_eval(default) == getattr(MLPClassifier(), name), name
    stub = ast.parse(Path(picomlp.__file__).with_name("__init__.pyi").read_text())
    classes = {node.name: node for node in stub.body if isinstance(node, ast.ClassDef)}
    assert {field.target.id for field in classes["Settings"].body} == parameters
    for name in picomlp.__all__[:3]:
        cls = getattr(picomlp, name)
        stubs = {m.name for c in (name, "_MLP") for m in classes[c].body if isinstance(m, ast.FunctionDef)}
        methods = {n for base in cls.__mro__ if base.__module__.startswith("picomlp") for n in vars(base)}
        assert {n for n in methods if not n.startswith(("_", "set_"))} <= stubs
        for parameter in parameters:
            assert parameter in cls.__doc__, parameter


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_partial_fit_goes_on_where_it_stopped_also_after_pickle(cls, digits):
    X, y = digits
    make = lambda: cls(hidden=16, lr=0.01, threads=1)  # noqa: E731
    known = {"classes": np.arange(10)} if cls is MLPClassifier else {}
    parts = [slice(0, 640), slice(640, 1280)]
    model = make()
    for turn in range(8):
        for part in parts:
            model.partial_fit(X[part], y[part], **known)
    again = make()
    for turn in range(8):
        for part in parts:
            again = pickle.loads(pickle.dumps(again)).partial_fit(X[part], y[part], **known)
    assert again.fingerprint == model.fingerprint
    assert model.score(X[:1280], y[:1280]) > (0.95 if cls is MLPClassifier else 0.5)
    assert len(model.history_) == 16 and model.n_iter_ == 16
    if cls is MLPClassifier:
        assert make().partial_fit(X[:3], [2, 2, 2], classes=[1, 2]).predict(X[:3]).shape == (3,)
        with pytest.raises(ValueError, match="the model has no class 9"):
            make().partial_fit(X, y, classes=range(9))
