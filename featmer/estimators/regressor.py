"""One or more numbers a row from several modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from featmer._targets import check_values
from featmer.estimators.fusion import Curriculum, FusionEstimator, Stages, Validation
from featmer.nn import Head
from featmer.objectives import Objective
from featmer.pretraining import Pretraining
from featmer.table import FeatureTable


class FusionRegressor(RegressorMixin, FusionEstimator):
    """Predict valence, arousal or other numbers from several modalities, in their dialogue.

    Parameters
    ----------
    head : str or Head, default="concat"
        How modalities and turns come together: a name in ``featmer.nn.HEADS``
        ("concat", "gated", "transformer") or a head with parameters of one's own.
        ``head__hidden`` and the like work in ``set_params`` for both.
    objective : str or Objective, default="mse"
        What is optimised: "mse", "ccc" (concordance) or an object.
    pretraining : str, Pretraining or None, default=None
        What turns features into embeddings before the head sees them: a name in
        ``featmer.pretraining.PRETRAINING`` or an object. It is fitted on the rows that the head is
        trained on; where its seed or device is None, those of this model are taken.
        To learn from more rows than have a label, fit it first and give this model a table of embeddings. A block
        that guides it, such as captions, is needed in ``fit`` only and never reaches the head.
    modalities : iterable of str, default=None
        Which modalities of the table to use; None for all.
    lr : float, default=1e-3
        Highest learning rate of AdamW.
    weight_decay : float, default=1e-2
        Decay of the weights.
    epochs : int, default=100
        Most passes over the training rows.
    batch_size : int, default=128
        Rows a batch, about: dialogues stay whole.
    patience : int, default=10
        Epochs without a better validation loss before training stops.
    validation_share : float, default=0.15
        Share of the dialogues held out for early stopping where ``fit`` is given no
        validation rows; 0 trains for all epochs.
    accumulate : int, default=1
        Batches whose gradients are summed up before the weights change.
    half : bool or None, default=None
        Whether to train in bfloat16; None does so on a GPU that has it.
    compile : bool, default=False
        Whether to compile the head by ``torch.compile``; pays on a GPU and long training.
    stages : sequence of (str or sequence of str) or None, default=None
        What training may change, stage after stage, each of up to ``epochs`` epochs: parts of
        the head, such as ``["encoders.audio", ["encoders.face", "output"], "all"]``; its
        method ``parts`` names them. None learns all at once.
    warm_start : bool, default=False
        Whether a further ``fit`` goes on from the weights and the scaling of the last one.
    curriculum : object or None, default=None
        Has a method ``rows(segments, y, epoch)`` that returns a mask over the training
        rows: those whose dialogues the epoch, counted from 1, learns from.
    checkpoint : path or None, default=None
        Folder that keeps unfinished training; a fit that was killed goes on there when
        the same fit is started again, and ends as if it had never stopped; of stages, the
        one it was in.
    random_state : int, RandomState or None, default=None
        Seed of weights, batches, dropout and the dialogues held out.
    device : str or torch.device, default=None
        Where to compute; None takes a GPU if there is one.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    modalities_ : dict of str to tuple of str
        Modalities seen in fit and the names of their features.
    history_ : list of dict
        An entry an epoch: ``epoch, lr, loss, validation_loss``, and ``stage`` where there are stages.
    marginal_ : ndarray or None
        Mean answer to the training rows. Rows of which nothing is known get it, of heads with context those in
        dialogues of which nothing is known; unless the model was trained on such rows (None), it knows no better.
    n_parameters_ : int
        Trained numbers in the head, and in the encoders of its pre-training.
    pretraining_ : Pretraining or None
        The fitted pre-training.
    seconds_per_epoch_ : float
        Mean time of an epoch of the last fit.
    module_ : torch.nn.Module
        Scaling and head.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = FusionRegressor(objective="ccc", epochs=30, lr=0.01, random_state=0).fit(X, 3 * X[:, 0] + 5)
    >>> model.score(X, 3 * X[:, 0] + 5) > 0.9
    True
    """

    target_ = "values"

    def __init__(
        self,
        head: str | Head = "concat",
        *,
        objective: str | Objective = "mse",
        pretraining: str | Pretraining | None = None,
        modalities: Iterable[str] | None = None,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        epochs: int = 100,
        batch_size: int = 128,
        patience: int = 10,
        validation_share: float = 0.15,
        accumulate: int = 1,
        half: bool | None = None,
        compile: bool = False,
        stages: Stages = None,
        warm_start: bool = False,
        curriculum: Curriculum | None = None,
        checkpoint: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            head,
            objective=objective,
            pretraining=pretraining,
            modalities=modalities,
            lr=lr,
            weight_decay=weight_decay,
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            validation_share=validation_share,
            accumulate=accumulate,
            half=half,
            compile=compile,
            stages=stages,
            warm_start=warm_start,
            curriculum=curriculum,
            checkpoint=checkpoint,
            random_state=random_state,
            device=device,
            verbose=verbose,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: FeatureTable | ArrayLike, y: ArrayLike, validation: Validation = None) -> Self:
        """Train on a table or a plain array.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows; a plain array's rows are dialogues of one turn.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
            Numbers.
        validation : tuple of (X, y), default=None
            Rows to stop early on, never trained on; None holds dialogues of X out.

        Returns
        -------
        FusionRegressor
            Itself.

        Raises
        ------
        ValueError
            If rows and targets do not fit together, or a name is unknown.
        TrainingError
            If the loss is no longer a number.
        """
        table = self._check_table(X, reset=not self._goes_on)
        values = check_values(y, len(table))
        self.multi_output_ = values.ndim == 2
        targets = values.reshape(len(table), -1)
        if validation is None:
            return self._fit(table, targets, targets.shape[1], None)
        watched = self._check_table(validation[0], reset=False)
        wanted = check_values(validation[1], len(watched)).reshape(len(watched), -1)
        if wanted.shape[1] != targets.shape[1]:
            raise ValueError(f"y has {targets.shape[1]} columns, but that of the validation rows {wanted.shape[1]}.")
        return self._fit(table, targets, targets.shape[1], (watched, wanted))

    def predict(self, X: FeatureTable | ArrayLike) -> NDArray[np.float64]:
        """Return the numbers of each row.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; give whole dialogues to heads that look at the context.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_targets)
            In the units of y.
        """
        values = self._decoded(self._seen(X))
        return values if self.multi_output_ else values[:, 0]

    def _fitted(self) -> dict[str, Any]:
        return {**super()._fitted(), "multi_output": self.multi_output_}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self.multi_output_ = fitted["multi_output"]
