"""The parameters' descriptions, which the docstrings of the estimators share."""

PARAMETERS = """Parameters
    ----------
    hidden : int or sequence of int, default=128
        Widths of the hidden layers; ``()`` for none.
    activation : str or sequence of str, default="relu"
        Of the hidden layers: ``relu``, ``leaky-relu``, ``sigmoid``, ``tanh`` or ``none``; one for all, or one for each.
    epochs : int, default=10
        Epochs to train for.
    batch_size : int, default=64
        Samples in one step.
    optimizer : str, default="adam"
        ``adam``, ``adamw``, ``sgd``, ``momentum``, ``nesterov``, ``rmsprop`` or ``rms-group``.
    seed : int, default=1
        Seed of initial weights, shuffling, dropout and validation samples: the same seed gives the same bits, on any machine.
    loss : str, default="auto"
        For classes ``cross-entropy``, ``cross-entropy-sum`` or ``mse``; for values ``mse``, ``mae`` or ``huber``.
    norm : str or sequence of str, default="none"
        Normalization in front of the hidden layers' activation: ``none``, ``layer`` or ``batch``.
    output_activation : str, default="none"
        Activation of the outputs, before the loss.
    leaky_slope : float, default=0.01
        Slope of leaky-relu below zero.
    bias : str, default="all"
        Dense layers with a bias: ``all``, ``hidden`` or ``none``.
    label_smoothing : float, default=0
        Fraction of the target that is spread over all classes.
    schedule : str, default="constant"
        Learning rate by epoch: ``constant``, ``step:N:F``, ``cosine``, ``cosine:MIN`` or ``plateau:N:F``.
    warmup : int, default=0
        Steps of linear warm-up.
    monitor : str, default="auto"
        Validation measure that chooses the epoch: ``val_acc``, ``val_loss``, ``val_f1``, ``val_balanced_acc``, ``val_auc``, ``val_r2``,
        ``val_mae`` or ``val_rmse``.
    full_batch, keep_lowest_loss, decay_weights_only : bool, default=False
        Take all samples as one batch; keep the parameters with the lowest training loss; exempt biases from weight decay.
    shuffle : bool, default=True
        Whether samples are shuffled in every epoch.
    stratified : bool, default=False
        Whether every class gives the same fraction of its samples for validation.
    init : str, default="he"
        Initial weights: ``he``, ``he-normal``, ``xavier``, ``xavier-normal``, ``normal:STDDEV`` or ``zeros``.
    inputs : str, default="unit"
        Range of pixels: ``unit`` (0 to 1), ``signed`` (-1 to 1), ``standardized`` or ``raw``.
    scale : str, default="standardize"
        Scale of features, each by itself: ``standardize``, ``minmax`` or ``none``. It becomes a part of the model.
    lr : float, optional
        Learning rate; by default 0.1 for sgd, 0.01 for momentum and nesterov, 0.5 for rms-group, 0.001 for the others.
    dropout : float or sequence of float, optional
        Dropout behind the hidden layers' activation; by default 0, or 0.4 for fewer than 1000 samples of features.
    val_split : float or int, optional
        Fraction or number of samples held out to choose the epoch; by default 0.1, or 0 for fewer than 1000 samples of features.
    patience : int, optional
        Epochs without a better validation measure after which training stops.
    momentum, beta1, beta2, alpha, epsilon, weight_decay : float, optional
        Settings of the optimizer that has them; by default the library's.
    clip_norm : float, optional
        Norm that gradients are clipped to.
    max_steps : int, optional
        Steps after which training stops.
    threads : int, optional
        Threads to use, by default as many as a step is fastest on, which is measured, and at most one for each core.
        The model does not depend on their number.
    image_shape : (int, int), optional
        Rows and columns of images (``uint8`` samples); by default square.
    verbose : bool, default=False
        Whether to print a line after each epoch."""


def documented(cls):
    """Puts the parameters into a class's docstring."""
    cls.__doc__ = cls.__doc__.replace("PARAMETERS", PARAMETERS)
    return cls
