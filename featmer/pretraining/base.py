"""What every pre-training shares: a table in, a table of embeddings out, trained by the one loop."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from featmer._torch_estimator import TorchEstimator
from featmer.collate import TensorTable
from featmer.nn import Standardise
from featmer.objectives import Objective
from featmer.table import Block, FeatureTable
from featmer.training import Examples, Plan, seeded, train


class Pretraining(TransformerMixin, TorchEstimator):
    """Base of all pre-training: a scikit-learn transformer from features to embeddings.

    A subclass stores its parameters, those below among them, has a ``name``, makes an
    encoder in :meth:`encoder` and says in :meth:`pretext` what the encoder learns from.
    What comes out is a table with the same rows and a block a modality; missing rows stay
    missing, and why. A plain array is a table of one modality and becomes an array.

    Parameters
    ----------
    modalities : iterable of str or None
        Which modalities of the table to use; None for all.
    hidden : int
        Width of each embedding.
    lr : float
        Highest learning rate of AdamW.
    weight_decay : float
        Decay of the weights.
    epochs : int
        Passes over the rows.
    batch_size : int
        Rows a batch, about: dialogues stay whole.
    random_state : int, RandomState or None
        Seed of weights, batches and dropout.
    device : str, torch.device or None
        Where to compute; None takes a GPU if there is one.
    verbose : int
        1 shows a progress bar.

    Attributes
    ----------
    modalities_ : dict of str to tuple of str
        Modalities seen in fit and the names of their features.
    history_ : list of dict
        An entry an epoch: ``epoch, lr, loss``.
    n_parameters_ : int
        Trained numbers in the encoder.
    module_ : torch.nn.Module
        Scaling and encoder.

    Examples
    --------
    >>> from featmer.pretraining import PRETRAINING
    >>> all(issubclass(kind, Pretraining) for kind in PRETRAINING.values())
    True
    """

    name: ClassVar[str]
    """What it is called in ``PRETRAINING`` and in the names of features."""

    hidden: int
    lr: float
    weight_decay: float
    epochs: int
    random_state: int | np.random.RandomState | None
    verbose: int

    def encoder(self, in_features: Mapping[str, int], sequences: Collection[str]) -> nn.Module:
        """Make the part that is kept.

        Parameters
        ----------
        in_features : mapping of str to int
            Width of each modality.
        sequences : collection of str
            The modalities that come as a sequence of frames a row.

        Returns
        -------
        Module
            Maps a batch of standardised rows to ``(n_rows, n_blocks, hidden)``, blocks in the
            order of :meth:`sources`. While training it may give ``Answers`` with a penalty.
        """
        raise NotImplementedError(f"{type(self).__name__} must make its encoder in encoder().")

    def pretext(self, table: FeatureTable, y: ArrayLike | None) -> tuple[Objective, Tensor]:
        """Say what the encoder learns from.

        Parameters
        ----------
        table : FeatureTable of n_rows rows
            The training rows.
        y : array-like of shape (n_rows,) or None
            Labels, where they were given.

        Returns
        -------
        objective : Objective
            Its ``loss(outputs, targets, batch)`` is made small; its own weights are trained too, and
            fall away afterwards.
        targets : Tensor, shape (n_rows, ...)
            What its loss is given beside the outputs; ``torch.zeros(n_rows)`` where it needs nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what to learn from in pretext().")

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Return the blocks that come out, each with the modalities it is made of.

        Returns
        -------
        dict of str to tuple of str
            A block is missing where all of its modalities are; by default a block a modality.
        """
        return {modality: (modality,) for modality in self.modalities_}

    def fit(self, X: FeatureTable | ArrayLike, y: ArrayLike | None = None) -> Self:
        """Learn the embeddings.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows; a plain array's rows are dialogues of one turn.
        y : array-like of shape (n_rows,), default=None
            Labels, for pre-training that is supervised; others do not look at them.

        Returns
        -------
        Pretraining
            Itself.

        Raises
        ------
        ValueError
            If there are no rows or no modality, or a parameter makes no sense.
        TrainingError
            If the loss is no longer a number.
        """
        table = self._check_table(X, reset=True)
        plan = self._plan(check_random_state(self.random_state).randint(2**31 - 1))
        tensors = TensorTable(table, self._device())
        self.sequences_ = tensors.sequences
        with seeded(plan.seed, tensors.device):
            scaling = self._build().learn(tensors.values)
            tensors.values = scaling.scaled(tensors.values)  # once here, not once a batch
            self._learn(table, y, tensors, plan)
        return self

    def _learn(self, table: FeatureTable, y: ArrayLike | None, tensors: TensorTable, plan: Plan) -> None:
        """Train the encoder on scaled rows; pre-training in stages does more than once."""
        objective, targets = self.pretext(table, y)
        examples = Examples(tensors, targets.to(tensors.device))
        self.history_ = train(self.module_[1], objective.to(tensors.device), examples, None, plan)

    def transform(self, X: FeatureTable | ArrayLike) -> FeatureTable | NDArray[np.float64]:
        """Return the embeddings of each row.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; each is embedded by itself.

        Returns
        -------
        FeatureTable or ndarray of shape (n_rows, n_embeddings)
            For a table, a table with the same segments; missing rows are NaN.
        """
        check_is_fitted(self)
        embedded = self._embed(self._check_table(X, reset=False))
        return embedded if isinstance(X, FeatureTable) else np.asarray(embedded)

    def _embed(self, table: FeatureTable) -> FeatureTable:
        blocks = {}
        for (name, modalities), values in zip(self.sources().items(), self._outputs(table).unbind(1), strict=True):
            made_of = [table.blocks[modality] for modality in modalities]
            blocks[name] = _embedded(values.cpu().numpy(), self._names(name), made_of)
        return FeatureTable(table.segments, blocks, provenance={**table.provenance, "pretraining": repr(self)})

    def get_feature_names_out(self, input_features: Iterable[str] | None = None) -> NDArray[np.object_]:
        """Return the names of all embeddings, in the order of the columns.

        Parameters
        ----------
        input_features : iterable of str, default=None
            Not used; what comes out has names of its own.

        Returns
        -------
        ndarray of str objects
            Such as ``audio.pairwise_contrastive.00``.
        """
        check_is_fitted(self)
        return np.array([name for block in self.sources() for name in self._names(block)], object)

    def _names(self, block: str) -> list[str]:
        digits = len(str(self.hidden - 1))
        return [f"{block}.{self.name}.{i:0{digits}d}" for i in range(self.hidden)]

    def _plan(self, seed: int) -> Plan:
        return Plan(
            lr=self.lr,
            weight_decay=self.weight_decay,
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.epochs,
            seed=seed,
            progress=bool(self.verbose),
        )

    def _build(self) -> Standardise:
        """Make fresh modules of the fitted sizes; return the scaling, which has yet to learn."""
        in_features = {modality: len(names) for modality, names in self.modalities_.items()}
        scaling = Standardise(in_features)
        encoder = self.encoder(in_features, self.sequences_)
        self.module_ = nn.Sequential(scaling, encoder).to(self._device())
        self.n_parameters_ = sum(weights.numel() for weights in encoder.parameters())
        return scaling


def _embedded(values: NDArray[np.float64], names: list[str], made_of: Sequence[Block]) -> Block:
    """Return embeddings as a block that is missing where all that it is made of is."""
    missing = np.logical_and.reduce([block.missing for block in made_of])
    values[missing] = np.nan
    told = zip(*(block.reasons for block in made_of), strict=True)
    reasons = ["; ".join(dict.fromkeys(row)) if gone else "" for row, gone in zip(told, missing, strict=True)]
    qualities = [block.quality for block in made_of if block.quality is not None]
    quality = pd.concat(qualities, axis=1) if qualities else None
    if quality is not None:  # extractors that share a clip tell the same of it: once is enough
        quality = quality.loc[:, ~quality.columns.duplicated()]
    return Block(values, names, reasons=reasons, quality=quality)
