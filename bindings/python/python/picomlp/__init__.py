"""Small neural networks that train on a PC and run on microcontrollers, with scikit-learn's interface.

>>> from picomlp import MLPClassifier
>>> model = MLPClassifier(hidden=32, seed=1).fit(X, y)
>>> model.save("digits.pmlp")  # what the command line and the firmware read
"""

from ._estimators import MLPAutoencoder, MLPClassifier, MLPRegressor, load

__all__ = ["MLPAutoencoder", "MLPClassifier", "MLPRegressor", "load"]
__version__ = "0.1.0"
