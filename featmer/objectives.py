"""How a head's outputs meet the targets: the loss, and what the outputs mean."""

from __future__ import annotations

from typing import Literal, Self

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch

CLASS_WEIGHTS = ("balanced", "none")


class Objective(BaseEstimator, nn.Module):
    """Base of all objectives: a small object with parameters that learns the scale of its targets.

    Like a head it is a set of scikit-learn parameters first; ``build`` makes its
    buffers (so that they are saved with the weights), ``learn`` fills them from the
    targets of the training rows.

    Attributes
    ----------
    target : {"labels", "values"}
        What the targets are: class numbers ``(n_rows,)`` or numbers ``(n_rows, n_outputs)``.

    Examples
    --------
    >>> [name for name, kind in OBJECTIVES.items() if kind.target == "values"]
    ['mse', 'ccc']
    """

    target: Literal["labels", "values"]

    def __init__(self) -> None:
        super().__init__()

    def build(self, n_outputs: int) -> Self:
        """Make the buffers.

        Parameters
        ----------
        n_outputs : int
            Classes, or columns of the target.

        Returns
        -------
        Objective
            Itself.
        """
        raise NotImplementedError(f"{type(self).__name__} must make its buffers in build().")

    def learn(self, targets: Tensor) -> Self:
        """Fill the buffers from the training rows.

        Parameters
        ----------
        targets : Tensor, shape (n_rows,) or (n_rows, n_outputs)
            Targets of the training rows.

        Returns
        -------
        Objective
            Itself.
        """
        raise NotImplementedError(f"{type(self).__name__} must look at its targets in learn().")

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Tell how far outputs are from targets.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, n_outputs)
            What the head gave.
        targets : Tensor, shape (n_rows,) or (n_rows, n_outputs)
            What was wanted.
        batch : Batch
            The rows, for losses that look at dialogues or modalities.

        Returns
        -------
        Tensor
            One number, to be made small.
        """
        raise NotImplementedError(f"{type(self).__name__} must compare outputs and targets in loss().")

    def decode(self, outputs: Tensor) -> Tensor:
        """Turn outputs into probabilities or values.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, n_outputs)
            What the head gave.

        Returns
        -------
        Tensor, shape (n_rows, n_outputs)
            What they mean, in the targets' own units.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what outputs mean in decode().")


class CrossEntropy(Objective):
    """One label a row; the outputs are unnormalised log probabilities.

    Parameters
    ----------
    class_weight : {"balanced", None}, default=None
        "balanced" weighs rows by the inverse frequency of their class, which serves
        unweighted recall and macro F1 and costs calibration.
    label_smoothing : float, default=0.0
        Share of the probability that the target gives to all classes alike.

    Examples
    --------
    >>> objective = CrossEntropy(class_weight="balanced").build(2).learn(torch.tensor([0, 0, 0, 1]))
    >>> objective.weight
    tensor([0.6667, 2.0000])
    """

    target = "labels"
    weight: Tensor

    def __init__(self, *, class_weight: Literal["balanced"] | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing

    def build(self, n_outputs: int) -> Self:
        """Make the class weights, all one; see :class:`Objective`."""
        check_name(self.class_weight or "none", CLASS_WEIGHTS, "class_weight")
        self.register_buffer("weight", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Count the classes; see :class:`Objective`."""
        if self.class_weight == "balanced":
            counts = torch.bincount(targets, minlength=len(self.weight)).clamp(min=1)
            self.weight.copy_(len(targets) / (len(counts) * counts))
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the weighted mean of the negative log probabilities; see :class:`Objective`."""
        return F.cross_entropy(outputs, targets, self.weight, label_smoothing=self.label_smoothing)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return probabilities; see :class:`Objective`."""
        return outputs.softmax(1)


class _ScaledObjective(Objective):
    """Numbers as targets: the head learns them at mean 0 and deviation 1."""

    target = "values"
    mean: Tensor
    scale: Tensor

    def build(self, n_outputs: int) -> Self:
        """Make mean and deviation; see :class:`Objective`."""
        self.register_buffer("mean", torch.zeros(n_outputs))
        self.register_buffer("scale", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Take mean and deviation from the targets; see :class:`Objective`."""
        deviation = targets.std(0, correction=0)
        self.mean.copy_(targets.mean(0))
        self.scale.copy_(torch.where(deviation > 0, deviation, 1.0))
        return self

    def decode(self, outputs: Tensor) -> Tensor:
        """Return values in the targets' units; see :class:`Objective`."""
        return outputs * self.scale + self.mean


class MeanSquaredError(_ScaledObjective):
    """Mean of the squared errors, each target in units of its deviation.

    Examples
    --------
    >>> MeanSquaredError()
    MeanSquaredError()
    """

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the mean of the squares; see :class:`Objective`."""
        return F.mse_loss(outputs, (targets - self.mean) / self.scale)


class ConcordanceLoss(_ScaledObjective):
    """One minus the concordance correlation coefficient, mean over the targets.

    The coefficient is that of the rows of a batch: take large batches.

    References
    ----------
    Lin: A concordance correlation coefficient to evaluate reproducibility.
    Biometrics, 1989.

    Examples
    --------
    >>> objective = ConcordanceLoss().build(1).learn(torch.tensor([[0.0], [2.0]]))
    >>> index = torch.zeros(2, dtype=torch.long)
    >>> batch = Batch({}, {}, {}, dialogue=index, turn=torch.arange(2), speaker=index)
    >>> float(objective.loss(torch.tensor([[-1.0], [1.0]]), torch.tensor([[0.0], [2.0]]), batch))
    0.0
    """

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return one minus the mean coefficient; see :class:`Objective`."""
        wanted = (targets - self.mean) / self.scale
        outputs_off, wanted_off = outputs - outputs.mean(0), wanted - wanted.mean(0)
        agreement = 2 * (outputs_off * wanted_off).mean(0)
        spread = (outputs_off.square() + wanted_off.square()).mean(0) + (outputs - wanted).mean(0).square()
        return 1 - (agreement / spread.clamp(min=1e-8)).mean()


OBJECTIVES: dict[str, type[Objective]] = {
    "cross_entropy": CrossEntropy,
    "mse": MeanSquaredError,
    "ccc": ConcordanceLoss,
}
