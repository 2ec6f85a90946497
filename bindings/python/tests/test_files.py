"""Models that come from elsewhere, and go there."""

import json
import os
import subprocess

import numpy as np
import picomlp
import pytest
from picomlp import MLPAutoencoder, MLPClassifier, MLPRegressor
from sklearn import neural_network
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

QUICK = {"hidden": 16, "epochs": 15, "threads": 1}


@pytest.fixture(scope="module")
def model(digits):
    return MLPClassifier(**QUICK).fit(*digits)


def test_a_model_file_is_loaded_as_the_estimator_that_it_is(model, digits, tmp_path):
    X, y = digits
    values, normal = MLPRegressor(**QUICK).fit(X, y), MLPAutoencoder(**QUICK).fit(X)
    for made in model, values, normal:
        made.save(tmp_path / "m.pmlp")
        loaded = picomlp.load(tmp_path / "m.pmlp")
        assert type(loaded) is type(made) and loaded.fingerprint == made.fingerprint
        np.testing.assert_array_equal(loaded.outputs(X), made.outputs(X))
    with pytest.raises(ValueError, match="expected a model whose outputs are classes, got inputs"):
        MLPClassifier.load(tmp_path / "m.pmlp")
    model.save(tmp_path / "m.pmlp")
    assert (picomlp.load(tmp_path / "m.pmlp").predict(X) == model.predict(X)).all()


@pytest.mark.parametrize("ending", ["onnx", "safetensors", "npz", "h", "rs"])
def test_models_are_written_in_every_format(model, digits, tmp_path, ending):
    model.save(tmp_path / f"m.{ending}")
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) > 1000
    if ending == "onnx":
        again = MLPClassifier.from_onnx(tmp_path / "m.onnx")
        np.testing.assert_array_equal(again.outputs(digits[0]), model.outputs(digits[0]))


def test_int8_runs_beside_f32(model, digits, tmp_path):
    X, y = digits
    int8 = model.quantize(X, keep_f32=True)
    assert int8.int8_ and not model.int8_
    assert (int8.predict(X) == model.predict(X)).mean() > 0.97
    int8.save(tmp_path / "m.pmlp")
    assert not picomlp.load(tmp_path / "m.pmlp").int8_
    np.testing.assert_array_equal(picomlp.load(tmp_path / "m.pmlp", int8=True).outputs(X), int8.outputs(X))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scaler", [None, StandardScaler(), MinMaxScaler()], ids=str)
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_networks_of_scikit_learn_compute_the_same(digits, activation, scaler):
    X, y = digits
    theirs = neural_network.MLPClassifier((20, 10), activation=activation, max_iter=15, random_state=1)
    theirs = (make_pipeline(scaler, theirs) if scaler else theirs).fit(X, y)
    ours = MLPClassifier.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=2e-5)
    two = neural_network.MLPClassifier(8, activation=activation, max_iter=15, random_state=1).fit(X, y > 4)
    ours = MLPClassifier.from_sklearn(two)
    np.testing.assert_allclose(ours.predict_proba(X), two.predict_proba(X), atol=2e-5)
    assert ours.predict(X).dtype == bool


@pytest.mark.filterwarnings("ignore")
def test_regressors_of_scikit_learn_compute_the_same():
    X, y = load_diabetes(return_X_y=True)
    theirs = make_pipeline(StandardScaler(), neural_network.MLPRegressor(hidden_layer_sizes=20, max_iter=50, random_state=1)).fit(X, y)
    ours = MLPRegressor.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-4)
    with pytest.raises(ValueError, match="expected a fitted MLPClassifier or MLPRegressor, got StandardScaler"):
        MLPRegressor.from_sklearn(StandardScaler())


def test_onnx_runtime_computes_the_same(model, digits, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    X = digits[0].astype(np.float32)
    model.save(tmp_path / "m.onnx")
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    outputs = session.run(None, {session.get_inputs()[0].name: X})[0]
    np.testing.assert_allclose(outputs, model.outputs(X), atol=1e-4)


def test_the_command_line_reads_and_writes_the_same_models(model, digits, tmp_path):
    picomlp_cli = os.environ.get("PICOMLP_CLI")
    if not picomlp_cli:
        pytest.skip("no command line: set PICOMLP_CLI")
    X, y = digits
    np.savetxt(tmp_path / "d.csv", np.c_[X, y], fmt="%g", delimiter=",", header=",".join(map(str, range(64))) + ",label", comments="")
    args = "--csv-max auto --target label --test-split 0 --hidden 16 --epochs 15".split()
    line = [picomlp_cli, "train", "--data", tmp_path / "d.csv", *args, "--json", "-o", tmp_path / "m.pmlp"]
    lines = subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()
    done = json.loads(lines[-1])
    # Pixels to the command line, which finds 0 to 16 in the file; bytes from 0 to 255 here.
    loaded = picomlp.load(tmp_path / "m.pmlp")
    assert loaded.fingerprint == done["fingerprint"]
    assert loaded.score(X, y) == loaded.score(X.astype(np.uint8), y) > 0.9
    model.save(tmp_path / "ours.pmlp")
    shown = subprocess.run([picomlp_cli, "inspect", tmp_path / "ours.pmlp"], check=True, capture_output=True, text=True).stdout
    assert "64-16-10" in shown and model.fingerprint in shown
