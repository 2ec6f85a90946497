"""The estimators."""

import re

import numpy as np
from sklearn.base import ClassifierMixin, OutlierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from . import _native
from ._base import BaseMLP, _init
from ._parameters import documented


@documented
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Tells classes apart.

    PARAMETERS
    class_weight : dict or "balanced", optional
        What the loss of a sample is multiplied by: a weight for each class, 1 for those that are not in the dict; or inversely to the
        samples of each class that are trained on.

    Attributes
    ----------
    classes_ : ndarray
        The classes.
    history_ : list of dict
        What was measured in each epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data frame had some.
    fingerprint : str
        Fingerprint of the parameters.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from picomlp import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> MLPClassifier(hidden=32, epochs=30).fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.9
    True
    """

    _kind = "classes"
    __init__ = _init(class_weight=None)

    def _settings(self, **fixed):
        weights = self.class_weight
        if isinstance(weights, dict):
            weights = [f"{name}={weight}" for name, weight in weights.items()]
        elif weights is not None:
            weights = [str(weights)]
        return super()._settings(**fixed) + [("class_weight", weight) for weight in weights or ()]

    def fit(self, X, y):
        """Trains on samples and their classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples. ``uint8`` means pixels from 0 to 255; anything else is features, each standardized unless `scale` says otherwise.
        y : array-like of shape (n_samples,)
            Classes: numbers or words.

        Returns
        -------
        self
        """
        X, y = self._labeled(X, y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return self._train(X, labels.astype(np.uint16), [str(name) for name in self.classes_])

    def partial_fit(self, X, y, classes=None):
        """Trains on each sample once, and goes on from the last call.

        The scales of features are those of the first call's samples. There is no validation, and no dropout unless it is set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Classes.
        classes : array-like, optional
            All classes, in the first call; by default those of its samples.

        Returns
        -------
        self
        """
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' depends on all samples: give a dict to partial_fit")
        online = getattr(self, "_online", None)
        X, y = self._labeled(X, y, reset=online is None, least=1)
        if online is None:
            online, self.classes_ = _native.Online(), np.unique(y if classes is None else classes)
        return self._train(X, self._labels(y), [str(name) for name in self.classes_], online)

    def _labels(self, y):
        known = np.isin(y, self.classes_)
        if not known.all():
            raise ValueError(f"the model has no class {y[~known][0]}: expected one of {', '.join(map(str, self.classes_))}")
        order = np.argsort(self.classes_)
        return order[np.searchsorted(self.classes_, y, sorter=order)].astype(np.uint16)

    def _labeled(self, X, y, reset=True, least=2):
        if y is None:
            raise ValueError("this classifier requires y to be passed, but the target y is None")
        X = self._samples(X, reset, least)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(X, y)
        return X, y

    def _take_outputs(self, names):
        if hasattr(self, "classes_") and len(self.classes_) == len(names):
            return
        are_numbers = all(re.fullmatch("0|-?[1-9][0-9]{,17}", name) for name in names)
        self.classes_ = np.array(names, dtype=int if are_numbers else object)

    def predict_proba(self, X):
        """Returns the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float32
        """
        return self._run(X, "probabilities")

    def predict(self, X):
        """Returns the most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        outputs = self.outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def evaluate(self, X, y):
        """Measures the model as ``picomlp eval`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Their classes.

        Returns
        -------
        dict
            ``accuracy``, ``balanced_accuracy``, ``macro_f1``, ``loss``, ``confusion`` (true class by predicted class), ``samples``, and
            ``auc`` of two classes.
        """
        check_is_fitted(self, "model_")
        X, y = self._labeled(X, y, reset=False)
        return self.model_.evaluate(X, self._labels(y), self._names([str(name) for name in self.classes_]))


@documented
class MLPRegressor(RegressorMixin, BaseMLP):
    """Predicts values.

    Features and values are standardized inside the model, which reads and gives numbers in their own units.

    PARAMETERS

    Attributes
    ----------
    history_ : list of dict
        What was measured in each epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if the data frame had some.
    fingerprint : str
        Fingerprint of the parameters.
    """

    _kind = "values"
    __init__ = _init()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X, y):
        """Trains on samples and their values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Values to predict.

        Returns
        -------
        self
        """
        return self._fit(X, y)

    def partial_fit(self, X, y):
        """Trains on each sample once, and goes on from the last call.

        The scales of features and values are those of the first call's samples. There is no validation, and no dropout unless it is set.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Values to predict.

        Returns
        -------
        self
        """
        online = getattr(self, "_online", None)
        return self._fit(X, y, online is None, online or _native.Online())

    def _fit(self, X, y, reset=True, online=None):
        names = [str(name) for name in getattr(y, "columns", [getattr(y, "name", None) or "y"])]
        X, y = self._valued(X, y, reset)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        if len(names) != y.shape[1]:
            names = [f"y{i + 1}" for i in range(y.shape[1])]
        return self._train(X, y, names, online)

    def _valued(self, X, y, reset=True):
        if y is None:
            raise ValueError("this regressor requires y to be passed, but the target y is None")
        X = self._samples(X, reset)
        y = check_array(y, ensure_2d=False, dtype=np.float32, order="C", input_name="y")
        check_consistent_length(X, y)
        return X, column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _take_outputs(self, names):
        self.target_names_ = names
        self._flat = getattr(self, "_flat", len(names) == 1)

    def predict(self, X):
        """Returns the values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        outputs = self.outputs(X).astype(np.float64)
        return outputs[:, 0] if self._flat else outputs

    def evaluate(self, X, y):
        """Measures the model as ``picomlp eval`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their values.

        Returns
        -------
        dict
            ``r2``, ``mae``, ``rmse``, ``loss`` and ``samples``.
        """
        check_is_fitted(self, "model_")
        X, y = self._valued(X, y, reset=False)
        return self.model_.evaluate(X, y.reshape(len(y), -1), self._names(self.target_names_))


@documented
class MLPAutoencoder(OutlierMixin, BaseMLP):
    """Learns what is normal, and finds what is not.

    PARAMETERS
    contamination : float, default=0.01
        The fraction of the training samples that `predict` calls anomalies.

    Attributes
    ----------
    offset_ : float
        The least score of a normal sample: the `contamination` quantile of the training samples' scores.
    history_ : list of dict
        What was measured in each epoch.
    fingerprint : str
        Fingerprint of the parameters.
    """

    _kind = "inputs"
    __init__ = _init(contamination=0.01)

    def fit(self, X, y=None):
        """Trains on normal samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.
        y : ignored

        Returns
        -------
        self
        """
        X = self._features(X, reset=True)
        self._train(X, None, [])
        self.offset_ = float(np.quantile(self.score_samples(X), self.contamination))
        return self

    def _features(self, X, reset=False):
        X = self._samples(X, reset)
        return X.astype(np.float32) if X.dtype == np.uint8 else X

    def _take_outputs(self, names):
        pass

    def reconstruct(self, X):
        """Returns what the network makes of samples; of normal ones, nearly the same.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
        """
        return self.outputs(X)

    def score_samples(self, X):
        """Returns how normal samples are: the negative mean squared error over the features, each in standard deviations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return -self._run(X, "scores")[:, 0].astype(np.float64)

    def decision_function(self, X):
        """Returns the scores above `offset_`: below 0 is an anomaly.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.score_samples(X)
        if not hasattr(self, "offset_"):
            raise ValueError("a model file has no threshold: set offset_, or use score_samples")
        return scores - self.offset_

    def predict(self, X):
        """Returns 1 for normal samples and -1 for anomalies.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def evaluate(self, X, y):
        """Measures the model as ``picomlp eval`` does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            True, or -1, for anomalies.

        Returns
        -------
        dict
            ``auc`` of the scores, ``r2``, ``mae``, ``rmse``, ``loss`` and ``samples``.
        """
        check_is_fitted(self, "model_")
        X, y = self._features(X), column_or_1d(y)
        check_consistent_length(X, y)
        anomalous = y == -1 if (y == -1).any() else y.astype(bool)
        return self.model_.evaluate(X, None, self._names([], anomalous.tolist()))


def load(path, int8=False):
    """Reads a model file and returns the estimator that matches its outputs.

    Parameters
    ----------
    path : str or path-like
        A ``.pmlp`` file.
    int8 : bool, default=False
        Whether to run its int8 form.

    Returns
    -------
    MLPClassifier, MLPRegressor or MLPAutoencoder
        Fitted; its parameters are the defaults.
    """
    model = _native.Model.read(path, int8)
    kind = model.describe()["kind"]
    estimators = {cls._kind: cls for cls in (MLPClassifier, MLPRegressor, MLPAutoencoder)}
    if kind not in estimators:
        raise ValueError(f"{path}: there is no estimator for models whose outputs are {kind}")
    return estimators[kind]._of(model)
