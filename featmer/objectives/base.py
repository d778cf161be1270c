"""What every objective is: a small object that says how a head's outputs meet the targets."""

from __future__ import annotations

from typing import Literal, Self

from sklearn.base import BaseEstimator
from torch import Tensor, nn

from featmer.collate import Batch

Kind = Literal["labels", "indicators", "distributions", "values", "ratings", "several"]


class Objective(BaseEstimator, nn.Module):
    """Base of all objectives: a small object with parameters that learns the scale of its targets.

    Like a head it is a set of scikit-learn parameters first; ``build`` makes its
    buffers (so that they are saved with the weights), ``learn`` fills them from the
    targets of the training rows.

    Attributes
    ----------
    target : {"labels", "indicators", "distributions", "values", "ratings"}
        What the targets are: class numbers ``(n_rows,)``, or ``(n_rows, n_outputs)`` of 0 and 1, of shares that sum
        to 1, or of any numbers; or class numbers ``(n_rows, n_raters)``, -1 where a rater did not see the row.

    Examples
    --------
    >>> from featmer.objectives import OBJECTIVES
    >>> [name for name, kind in OBJECTIVES.items() if kind.target == "values"]
    ['mse', 'ccc']
    """

    target: Kind
    tokens = 1

    def __init__(self) -> None:
        super().__init__()

    def width(self, n_outputs: int) -> int:
        """Tell how many numbers a row the head must give.

        Parameters
        ----------
        n_outputs : int
            Classes, or columns of the target.

        Returns
        -------
        int
            One an output, unless the objective makes the outputs itself, of an embedding.
        """
        return n_outputs

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
        outputs : Tensor, shape (n_rows, width)
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

    def parts(self, outputs: Tensor, targets: Tensor, batch: Batch) -> dict[str, tuple[Tensor, int]]:
        """Tell the losses that validation watches, as `loss` sums them up.

        Parameters
        ----------
        outputs, targets, batch
            As of :meth:`loss`.

        Returns
        -------
        dict of str to (Tensor, int)
            Of each target its loss and the number of rows that it is the mean of; one for all, unless there
            are several targets with gaps.
        """
        return {"": (self.loss(outputs, targets, batch), len(outputs))}

    def decode(self, outputs: Tensor) -> Tensor:
        """Turn outputs into probabilities or values.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, width)
            What the head gave.

        Returns
        -------
        Tensor, shape (n_rows, n_outputs)
            What they mean, in the targets' own units.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what outputs mean in decode().")
