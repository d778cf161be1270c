"""One label a row from several modalities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from featmer._deciding import DecidingClassifier
from featmer._targets import encode_classes, encode_like
from featmer.estimators.fusion import Curriculum, FusionEstimator, Stages, Validation
from featmer.nn import Head
from featmer.objectives import OBJECTIVES, Objective, RaterHeads
from featmer.pretraining import Pretraining
from featmer.table import FeatureTable


class FusionClassifier(DecidingClassifier, FusionEstimator):
    """Classify utterances from several modalities, in their dialogue.

    An utterance has one label, any number of labels, or a share for each, as y says; or what each rater said.

    Parameters
    ----------
    head : str or Head, default="concat"
        How modalities and turns come together: a name in ``featmer.nn.HEADS``
        ("concat", "gated", "transformer") or a head with parameters of one's own.
        ``head__hidden`` and the like work in ``set_params`` for both.
    objective : str or Objective, default="cross_entropy"
        What is optimised: a name in ``featmer.objectives.OBJECTIVES`` or an object. Cross-entropy means
        "multilabel" where y is an indicator matrix, and "soft" where it holds distributions. With "raters", y is what
        each rater said.
    pretraining : str, Pretraining or None, default=None
        What turns features into embeddings before the head sees them: a name in
        ``featmer.pretraining.PRETRAINING`` or an object. It is fitted on the rows that the head is
        trained on; where its seed or device is None, those of this model are taken.
        To learn from more rows than have a label, fit it first and give this model a table of embeddings. A block
        that guides it, such as captions, is needed in ``fit`` only and never reaches the head.
    thresholds : {"all", "class"} or float, default="all"
        Above which probability a label is given where there is any number of labels a row: the one for all labels, or
        for each label its own, with the best macro F1 on the validation rows (0.5 where there are none); or a number.
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
        Whether a further ``fit`` goes on from the weights, the scaling and the classes of the last one.
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
    classes_ : ndarray of shape (n_classes,)
        The labels; for a matrix as y, the names of its columns, or their numbers.
    target_ : {"labels", "indicators", "distributions", "ratings"}
        What y was.
    raters_ : tuple
        The raters: names or numbers of y's columns; only where y holds ratings.
    thresholds_ : ndarray of shape (n_classes,)
        The threshold of each label; only where y was an indicator matrix.
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
    >>> import pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> segments = pd.DataFrame({"dialogue": np.repeat(np.arange(10), 4), "turn": np.tile(np.arange(4), 10)})
    >>> mood = np.where(segments["dialogue"] % 2, "joy", "anger")
    >>> pitch = np.where(mood == "joy", 220.0, 120.0)[:, None]
    >>> table = FeatureTable(segments, {"audio": Block(pitch, ["audio.pitch"])})
    >>> model = FusionClassifier("gated", epochs=20, lr=0.01, random_state=0).fit(table, mood)
    >>> model.score(table, mood)
    1.0
    """

    def __init__(
        self,
        head: str | Head = "concat",
        *,
        objective: str | Objective = "cross_entropy",
        pretraining: str | Pretraining | None = None,
        thresholds: str | float = "all",
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
        self.thresholds = thresholds

    def fit(self, X: FeatureTable | ArrayLike, y: ArrayLike, validation: Validation = None) -> Self:
        """Train on a table or a plain array.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows; a plain array's rows are dialogues of one turn.
        y : array-like of shape (n_rows,) or (n_rows, n_classes)
            Labels; a matrix of 0 and 1 for any number of labels a row; or shares that sum to 1. A DataFrame's
            columns name the classes. For "raters" a column a rater, of labels, None or NaN where the rater did not see
            the row.
        validation : tuple of (X, y), default=None
            Rows to stop early and to choose thresholds on, never trained on; None holds dialogues of X out.

        Returns
        -------
        FusionClassifier
            Itself.

        Raises
        ------
        ValueError
            If rows and targets, or targets and objective, do not fit together, or a name is unknown.
        TrainingError
            If the loss is no longer a number.
        """
        self._check_thresholds()
        table = self._check_table(X, reset=not self._goes_on)
        if self._goes_on:
            values = encode_like(y, len(table), self._known(), "rows to go on with")
        else:
            objective = OBJECTIVES.get(self.objective) if isinstance(self.objective, str) else self.objective
            targets = encode_classes(y, len(table), getattr(objective, "target", "indicators"))
            self.target_, self.classes_, values = targets.kind, targets.classes, targets.values
            self.raters_ = targets.raters
            self._make_objective()
        if validation is None:
            return self._fit(table, values, len(self.classes_), None)
        watched = self._check_table(validation[0], reset=False)
        wanted = encode_like(validation[1], len(watched), self._known(), "validation rows")
        return self._fit(table, values, len(self.classes_), (watched, wanted))

    def _make_objective(self) -> Objective:
        objective = super()._make_objective()
        if isinstance(objective, RaterHeads) and objective.n_raters is None:
            objective.n_raters = len(self.raters_)
        return objective

    def _decide(self, table: FeatureTable, targets: NDArray[Any]) -> None:
        def unseen() -> tuple[ArrayLike, ArrayLike]:
            return targets, self._decoded(table) if len(table) else ()

        self._choose_thresholds(unseen)

    def predict_proba(self, X: FeatureTable | ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; give whole dialogues to heads that look at the context.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``; rows sum to 1 unless there is any number of labels a row.
        """
        return self._decoded(self._seen(X))

    def predict_raters(self, X: FeatureTable | ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each rater says each label.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_rows, n_raters, n_classes)
            Raters in the order of ``raters_``, labels in that of ``classes_``.

        Raises
        ------
        ValueError
            If the model was not fitted to ratings.
        """
        outputs = self._outputs(self._seen(X))
        objective = self.objective_
        if not isinstance(objective, RaterHeads):
            raise ValueError(f"The model was fitted to {self.target_}, not to ratings; fit it with objective='raters'.")
        return objective.decode_raters(outputs).cpu().numpy()

    def decision_function(self, X: FeatureTable | ArrayLike) -> NDArray[np.float64]:
        """Return scores that order the classes as their probabilities do.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), or (n_rows,) for two classes
            Log probabilities; the log odds of the second class where there are two; for any number of labels a row,
            the log odds of each.
        """
        probabilities = self.predict_proba(X)
        if self.target_ == "indicators":
            return logit(np.clip(probabilities, 1e-15, 1 - 1e-15))
        scores = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def _fitted(self) -> dict[str, Any]:
        classes = {"values": self.classes_, "dtype": self.classes_.dtype.str}
        chosen = {"thresholds": getattr(self, "thresholds_", None), "raters": self.raters_}
        return {**super()._fitted(), "classes": classes, **chosen}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self.classes_ = np.array(fitted["classes"]["values"], fitted["classes"]["dtype"])
        self.raters_ = tuple(fitted["raters"])
        if fitted["thresholds"] is not None:
            self.thresholds_ = np.array(fitted["thresholds"])
