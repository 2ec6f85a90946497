"""The real thing: MNIST."""

import json
import os
import subprocess

import numpy as np
import pytest
from picomlp import MLPClassifier

# `picomlp train --data mnist/ --epochs 2`: the bits are the same on every machine.
TWO_EPOCHS = "ffb96c4f46fdcfac"


@pytest.fixture(scope="module")
def model(mnist):
    return MLPClassifier(epochs=2).fit(mnist[0], mnist[1])


def test_the_fingerprint_is_that_of_the_command_line(model, mnist_folder, tmp_path):
    assert model.fingerprint == TWO_EPOCHS
    if picomlp_cli := os.environ.get("PICOMLP_CLI"):
        line = [picomlp_cli, "train", "--data", mnist_folder, "--epochs", "2", "--json", "-o", tmp_path / "m.pmlp"]
        done = subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        assert json.loads(done)["fingerprint"] == TWO_EPOCHS


def test_the_accuracy_is_that_of_the_command_line(model, mnist):
    images, labels = mnist[2:]
    assert model.score(images, labels) > 0.96
    assert model.quantize(images[:1000]).score(images, labels) > 0.955
    # Pixels as numbers are the same pixels.
    np.testing.assert_array_equal(model.outputs(images.astype(np.float32)), model.outputs(images))


def test_torch_computes_the_same_both_ways(model, mnist, tmp_path):
    torch = pytest.importorskip("torch")
    images = mnist[2]
    module = model.to_torch()
    with torch.no_grad():
        theirs = module(torch.from_numpy(images.astype(np.float32))).numpy()
    ours = model.outputs(images)
    print(f"to_torch: logits differ by {np.abs(theirs - ours).max():.2e} at most")
    np.testing.assert_allclose(theirs, ours, atol=1e-4)
    back = MLPClassifier.from_torch(module)
    np.testing.assert_allclose(back.outputs(images), ours, atol=1e-4)
    plain = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    plain.load_state_dict({key: torch.from_numpy(value) for key, value in model.state_dict().items()})
    with torch.no_grad():
        theirs = plain(torch.from_numpy(images.astype(np.float32) / 255)).numpy()
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_modules_of_torch_compute_the_same(mnist):
    torch = pytest.importorskip("torch")
    from torch import nn

    torch.manual_seed(1)
    x = mnist[2].astype(np.float32) / 255
    modules = [
        nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10)),
        nn.Sequential(nn.Sequential(nn.Linear(784, 32), nn.LayerNorm(32), nn.LeakyReLU(0.1)), nn.Linear(32, 10), nn.Softmax(1)),
        nn.Sequential(nn.Linear(784, 16, bias=False), nn.Tanh(), nn.Linear(16, 16), nn.Sigmoid(), nn.Linear(16, 10)),
    ]
    for module in modules:
        module(torch.from_numpy(x[:64]))  # running statistics
        module.eval()
        with torch.no_grad():
            theirs = module(torch.from_numpy(x)).numpy()
        model = MLPClassifier.from_torch(module)
        ours = model.predict_proba(x) if isinstance(module[-1], nn.Softmax) else model.outputs(x)
        print(f"from_torch: outputs differ by {np.abs(theirs - ours).max():.2e} at most")
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    with pytest.raises(ValueError, match="Conv2d.*has no form here"):
        MLPClassifier.from_torch(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Linear(784, 10)))
    with pytest.raises(ValueError, match="expected a module with linear layers"):
        MLPClassifier.from_torch(nn.ReLU())


def test_a_module_with_a_forward_of_its_own_goes_through_onnx(mnist):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = torch.nn.Linear(784, 32), torch.nn.Linear(32, 10)

        def forward(self, x):
            return self.out(torch.relu(self.hidden(x / 255)))

    torch.manual_seed(1)
    x = mnist[2].astype(np.float32)
    module = Net().eval()
    ours = MLPClassifier.from_torch(module).outputs(x)
    with torch.no_grad():
        theirs = module(torch.from_numpy(x)).numpy()
    print(f"torch.onnx.export: logits differ by {np.abs(theirs - ours).max():.2e} at most")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
