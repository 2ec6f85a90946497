"""What the three estimators share: settings, training, files."""

import ast
import copy
import json
import warnings
from inspect import Parameter, Signature
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _interop, _native


def _value(text):
    """The Python value of a setting's text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _text(value):
    """The text of a setting's value: the form that the command line's flags have."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, (list, tuple, np.ndarray)):
        return ",".join(map(_text, value))
    return str(value)


# The library's settings with its defaults; None where the default depends on the others or on the data.
_SETTINGS = {name: None if text is None else _value(text) for name, text in _native.defaults()}


def _init(**more):
    """Makes an estimator's `__init__` of the library's settings and `more`."""
    defaults = {**_SETTINGS, "image_shape": None, "verbose": False, **more}

    def __init__(self, **params):
        for name in params:
            if name not in defaults:
                raise TypeError(f"__init__() got an unexpected keyword argument '{name}'")
        for name, default in defaults.items():
            setattr(self, name, params.get(name, default))

    parameters = [Parameter(n, Parameter.KEYWORD_ONLY, default=d) for n, d in defaults.items()]
    __init__.__signature__ = Signature([Parameter("self", Parameter.POSITIONAL_ONLY), *parameters])
    return __init__


class BaseMLP(BaseEstimator):
    """A multi-layer perceptron: what classifiers, regressors and autoencoders share."""

    _kind = ""  # of the outputs, as the model file has it

    def _settings(self, **fixed):
        given = {name: getattr(self, name) for name in _SETTINGS} | fixed
        return [(name, _text(value)) for name, value in given.items() if value is not None]

    def _names(self, outputs, anomalous=()):
        features = [str(name) for name in getattr(self, "feature_names_in_", ())]
        return {"outputs": outputs, "features": features, "shape": self.image_shape, "anomalous": list(anomalous)}

    def _samples(self, X, reset=False, least=2):
        """Checks samples: uint8 stays and means pixels, all else becomes float32."""
        names = getattr(self, "feature_names_in_", None)
        if not reset and names is not None and hasattr(X, "columns") and set(names) <= set(X.columns):
            X = X[list(names)]  # by their names, whatever their order
        dtypes = [np.float32, np.uint8] if reset or self._about["pixels"] else np.float32
        least = least if reset else 1
        X = validate_data(self, X, reset=reset, dtype=dtypes, order="C", ensure_min_samples=least)
        if not reset and self.int8_ and self._about["pixels"]:
            X = self._pixels(X)
        return X

    @staticmethod
    def _pixels(X):
        pixels = X.clip(0, 255).astype(np.uint8, order="C")
        if (pixels != X).any():
            raise ValueError("the int8 form of a model of images reads whole numbers from 0 to 255")
        return pixels

    def _train(self, X, y, outputs, online=None):
        self.history_, settings = ([], self._settings()) if online is None else (getattr(self, "history_", []), self._once())
        self._online = online

        def on_line(line):
            event = json.loads(line) if line.startswith("{") else {}
            if event.pop("event", None) == "epoch":
                self.history_.append(event)
                line = "  ".join(f"{key} {value:.5g}" for key, value in event.items() if value is not None)
            if self.verbose:
                print(line)

        model, failures, stopped_by = _native.train(X, y, self._names(outputs), settings, on_line, online)
        if model is not None:
            self._take(model)
            self.n_iter_ = len(self.history_)
        if stopped_by is not None:
            raise stopped_by
        for failure in failures if online is None else ():
            warnings.warn(failure, ConvergenceWarning, stacklevel=3)
        return self

    def _once(self):
        # Each sample is seen once; what the number of samples decides elsewhere is the same in every call.
        return self._settings(epochs=1, val_split=0, dropout=self.dropout or 0, patience=None, monitor="auto")

    def _take(self, model):
        """Sets what is fitted from a native model."""
        self.model_, about = model, model.describe()
        if about["kind"] != self._kind:
            raise ValueError(f"expected a model whose outputs are {self._kind}, got {about['kind']}: picomlp.load finds the class")
        self._about, self.int8_ = about, about["int8"]
        if not hasattr(self, "n_features_in_"):
            self.n_features_in_, names = about["inputs"], about["features"]
            if any(name != str(i + 1) for i, name in enumerate(names)):
                self.feature_names_in_ = np.array(names, dtype=object)
        self._take_outputs(about["names"] or [str(i) for i in range(about["outputs"])])

    def _run(self, X, what):
        check_is_fitted(self, "model_")
        return self.model_.run(self._samples(X), what)

    @property
    def fingerprint(self):
        """Fingerprint of the parameters, as the command line prints it: equal if and only if all bits are."""
        check_is_fitted(self, "model_")
        return self._about["fingerprint"]

    def outputs(self, X):
        """Returns the network's raw outputs: logits of classes, or values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs), float32
        """
        return self._run(X, "logits")

    def quantize(self, X, keep_f32=False):
        """Returns a copy of the estimator that runs in int8.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples to find the ranges of inputs and activations by.
        keep_f32 : bool, default=False
            Whether its file keeps the f32 parameters beside the int8 ones.

        Returns
        -------
        estimator
            Predicts with 8-bit integers, as the firmware does.
        """
        check_is_fitted(self, "model_")
        quantized, X = copy.copy(self), self._samples(X)
        X = self._pixels(X) if self._about["pixels"] else X
        quantized._take(self.model_.quantize(X, keep_f32))
        return quantized

    def save(self, path, format=None):
        """Writes the model.

        Parameters
        ----------
        path : str or path-like
            A ``.pmlp`` model file, or ``.onnx``, ``.safetensors``, ``.npz``, ``.h`` (C source) or ``.rs``.
        format : str, optional
            ``pmlp``, ``onnx``, ``safetensors``, ``npz``, ``c`` or ``rust``; by default that of the extension.
        """
        check_is_fitted(self, "model_")
        if (format or Path(path).suffix.lstrip(".").lower()) == "pmlp":
            return self.model_.save(path)
        files, notes = self.model_.export(path, format)
        for file, content in files:
            Path(file).write_bytes(content)
        for note in notes:
            warnings.warn(note, stacklevel=2)

    @classmethod
    def load(cls, path, int8=False):
        """Reads a model file written by this package, the command line or a device.

        Parameters
        ----------
        path : str or path-like
            A ``.pmlp`` file.
        int8 : bool, default=False
            Whether to run its int8 form.

        Returns
        -------
        estimator
            Fitted; its parameters are the defaults.
        """
        return cls._of(_native.Model.read(path, int8))

    @classmethod
    def _of(cls, model, notes=()):
        for note in notes:
            warnings.warn(note, stacklevel=3)
        estimator = cls()
        estimator._take(model)
        return estimator

    @classmethod
    def _import(cls, file, format=None, classes=(), image_shape=None, inputs=None):
        kind, names = cls._kind, [str(name) for name in classes]
        return cls._of(*_native.import_model(file, format, kind, names, image_shape, inputs))

    @classmethod
    def from_onnx(cls, path, classes=(), image_shape=None, inputs=None):
        """Makes an estimator of an ONNX file, as PyTorch, Keras and skl2onnx write it.

        Parameters
        ----------
        path : str or path-like
            The file.
        classes : sequence of str, optional
            Names of the classes.
        image_shape : (int, int), optional
            Rows and columns of the images that it reads.
        inputs : {"unit", "signed", "raw"}, optional
            How pixels from 0 to 255 become inputs where the file does not say: as 0 to 1, as -1 to 1, or as they are (the default).

        Returns
        -------
        estimator
            Fitted; its parameters are the defaults.
        """
        return cls._import(path, "onnx", classes, image_shape, inputs)

    @classmethod
    def from_torch(cls, module, classes=()):
        """Makes an estimator of a PyTorch module.

        Parameters
        ----------
        module : torch.nn.Module
            An ``nn.Sequential`` of linear layers, activations and normalizations. Others are exported to ONNX first.
        classes : sequence of str, optional
            Names of the classes.

        Returns
        -------
        estimator
            Fitted; its parameters are the defaults.
        """
        file, format, inputs = _interop.of_torch(module)
        return cls._import(file, format, classes, (1, inputs))

    @classmethod
    def from_sklearn(cls, estimator):
        """Makes an estimator of scikit-learn's MLPClassifier or MLPRegressor, also behind a StandardScaler or MinMaxScaler.

        Parameters
        ----------
        estimator : fitted MLPClassifier, MLPRegressor, or Pipeline that ends in one
            The network.

        Returns
        -------
        estimator
            Fitted; its parameters are the defaults.
        """
        file, inputs, classes = _interop.of_sklearn(estimator)
        made = cls._import(file, "npz", (), (1, inputs))
        if classes is not None:
            made.classes_ = classes
        return made

    def to_torch(self):
        """Returns the network as a ``torch.nn.Sequential`` that reads raw samples and gives `outputs`.

        Returns
        -------
        torch.nn.Sequential
            Its ``state_dict`` has the names and layout of `state_dict`.
        """
        from . import _torch

        return _torch.module(self.state_dict(), self._layers(), self._about["map"])

    def _layers(self):
        return json.loads(self._archive()[1]["picomlp.layers"])

    def _archive(self):
        check_is_fitted(self, "model_")
        return _interop.unpacked(self.model_.export("model.npz", "npz")[0][0][1])

    def state_dict(self):
        """Returns the parameters as PyTorch names and lays them out: weights ``[out, in]``.

        Returns
        -------
        dict of str to ndarray
        """
        return self._archive()[0]
