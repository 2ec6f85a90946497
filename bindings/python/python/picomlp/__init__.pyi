from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Self, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, OutlierMixin, RegressorMixin
from typing_extensions import Unpack

__version__: str

class Settings(TypedDict, total=False):
    hidden: int | Sequence[int]
    activation: str | Sequence[str]
    epochs: int
    batch_size: int
    optimizer: Literal["adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop", "rms-group"]
    seed: int
    loss: Literal["auto", "cross-entropy", "cross-entropy-sum", "mse", "mae", "huber"]
    norm: str | Sequence[str]
    output_activation: str
    leaky_slope: float
    bias: Literal["all", "hidden", "none"]
    label_smoothing: float
    schedule: str
    warmup: int
    monitor: str
    full_batch: bool
    keep_lowest_loss: bool
    decay_weights_only: bool
    shuffle: bool
    stratified: bool
    init: str
    inputs: Literal["unit", "signed", "standardized", "raw"]
    scale: Literal["standardize", "minmax", "none"]
    lr: float | None
    dropout: float | Sequence[float] | None
    val_split: float | int | None
    patience: int | None
    momentum: float | None
    beta1: float | None
    beta2: float | None
    alpha: float | None
    epsilon: float | None
    weight_decay: float | None
    clip_norm: float | None
    max_steps: int | None
    threads: int | None
    image_shape: tuple[int, int] | None
    verbose: bool

class AutoencoderSettings(Settings, total=False):
    contamination: float

class ClassifierSettings(Settings, total=False):
    class_weight: Mapping[Any, float] | Literal["balanced"] | None

class _MLP(BaseEstimator):
    history_: list[dict[str, float]]
    n_iter_: int
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    int8_: bool
    def __init__(self, **settings: Unpack[Settings]) -> None: ...
    @property
    def fingerprint(self) -> str | None: ...
    def outputs(self, X: ArrayLike) -> NDArray[np.float32]: ...
    def quantize(self, X: ArrayLike, keep_f32: bool = False) -> Self: ...
    def save(self, path: str | PathLike[str], format: str | None = None) -> None: ...
    @classmethod
    def load(cls, path: str | PathLike[str], int8: bool = False) -> Self: ...
    @classmethod
    def from_onnx(
        cls,
        path: str | PathLike[str],
        classes: Sequence[str] = (),
        image_shape: tuple[int, int] | None = None,
        inputs: Literal["unit", "signed", "raw"] | None = None,
    ) -> Self: ...
    @classmethod
    def from_torch(cls, module: Any, classes: Sequence[str] = ()) -> Self: ...
    @classmethod
    def from_sklearn(cls, estimator: BaseEstimator) -> Self: ...
    def to_torch(self) -> Any: ...
    def state_dict(self) -> dict[str, NDArray[np.float32]]: ...

class MLPClassifier(ClassifierMixin, _MLP):
    classes_: NDArray[Any]
    def __init__(self, **settings: Unpack[ClassifierSettings]) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]: ...
    def evaluate(self, X: ArrayLike, y: ArrayLike) -> dict[str, Any]: ...

class MLPRegressor(RegressorMixin, _MLP):
    target_names_: list[str]
    def fit(self, X: ArrayLike, y: ArrayLike) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self: ...
    def predict(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def evaluate(self, X: ArrayLike, y: ArrayLike) -> dict[str, Any]: ...

class MLPAutoencoder(OutlierMixin, _MLP):
    offset_: float
    def __init__(self, **settings: Unpack[AutoencoderSettings]) -> None: ...
    def fit(self, X: ArrayLike, y: Any = None) -> Self: ...
    def reconstruct(self, X: ArrayLike) -> NDArray[np.float32]: ...
    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def predict(self, X: ArrayLike) -> NDArray[np.int64]: ...
    def evaluate(self, X: ArrayLike, y: ArrayLike) -> dict[str, Any]: ...

def load(path: str | PathLike[str], int8: bool = False) -> MLPClassifier | MLPRegressor | MLPAutoencoder: ...
