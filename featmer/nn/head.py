"""What every head is: a small object with parameters that becomes a torch module."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.encoders import Encoders


class Answers(NamedTuple):
    """What a head in training may give instead of plain outputs: more to learn from.

    Attributes
    ----------
    outputs : Tensor, shape (n_rows, n_outputs)
        What the head gives outside of training too.
    side : Tensor, shape (n_sides, n_rows, n_outputs)
        Further answers to the same question, such as one a modality, each held to the objective.
    side_weight : float or Tensor of shape (n_sides,)
        Weight of the mean of their losses, or of each in that mean.
    penalty : Tensor, shape ()
        Added to the loss as it is: for gates out of balance and the like.

    Examples
    --------
    >>> from torch import zeros
    >>> Answers(zeros(4, 7)).side.shape
    torch.Size([0])
    """

    outputs: Tensor
    side: Tensor = torch.zeros(0)
    side_weight: float | Tensor = 1.0
    penalty: Tensor = torch.zeros(())


class Head(BaseEstimator, nn.Module):
    """Base of all heads: from the features of a batch to one output vector a row.

    A head is two things at once. Fresh from its constructor it is a set of
    scikit-learn parameters (``get_params``, ``clone``, ``head__hidden`` in a grid
    search). After ``build`` it is a torch module. A subclass stores its parameters
    in ``__init__`` (after ``super().__init__()``), makes layers in ``build`` and uses
    them in ``forward``; it knows no device, no file and no loss.

    Attributes
    ----------
    tokens : int
        Into how many vectors, of a modality or a stretch of frames each, the outputs of a row fall.
    context : {"none", "past", "both"}
        Which other turns of the dialogue an answer may depend on; a parameter of some heads.
    search_space : dict of str to list
        What a search may try for each parameter.

    Examples
    --------
    >>> from featmer.nn import Concat
    >>> head = Concat(hidden=8).build({"audio": 88, "text": 384}, n_outputs=7)
    >>> sum(parameter.numel() for parameter in head.parameters()) > 88 * 8
    True
    """

    tokens = 1
    context: str = "none"
    search_space: ClassVar[dict[str, list[Any]]] = {"hidden": [32, 64, 128, 256], "dropout": [0.1, 0.3, 0.5]}

    def __init__(self) -> None:
        super().__init__()

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers.

        Parameters
        ----------
        in_features : mapping of str to int
            Width of each modality.
        n_outputs : int
            Width of the output.
        sequences : collection of str, default=()
            The modalities that come as a sequence of frames a row.

        Returns
        -------
        Head
            Itself, ready to be called with a batch.
        """
        raise NotImplementedError(f"{type(self).__name__} must make its layers in build().")

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs.

        Parameters
        ----------
        batch : Batch
            Standardised rows of whole dialogues, without NaN.

        Returns
        -------
        Tensor, shape (n_rows, n_outputs)
            Raw scores; an objective says what they mean. While ``self.training``, a head may give
            `Answers` instead.
        """
        raise NotImplementedError(f"{type(self).__name__} must map a batch to outputs in forward().")

    def parts(self) -> dict[str, list[nn.Module]]:
        """Name the parts that training may learn by themselves.

        Returns
        -------
        dict of str to list of Module
            "all"; every layer by its name, such as "output"; "encoders.audio" and the like for what encodes a modality.
        """
        parts: dict[str, list[nn.Module]] = {"all": [self]}
        parts |= {name: [child] for name, child in self.named_children() if any(True for _ in child.parameters())}
        for module in self.modules():
            if isinstance(module, Encoders):
                for modality, project, pool in zip(module.modalities, module.project, module.pool, strict=True):
                    parts.setdefault(f"encoders.{modality}", []).extend([project, pool])
        return parts

    def learn_only(self, *parts: str) -> Self:
        """Freeze all but the parts named: training leaves the rest as it is, to the bit.

        Parameters
        ----------
        *parts : str
            What training may change from now on: names that :meth:`parts` knows.

        Returns
        -------
        Head
            Itself.

        Examples
        --------
        >>> from featmer.nn import Concat
        >>> head = Concat(hidden=8).build({"face": 3, "audio": 5}, n_outputs=2).learn_only("encoders.audio", "output")
        >>> sorted({name.split(".")[0] for name, weights in head.named_parameters() if weights.requires_grad})
        ['join', 'output']
        """
        known = self.parts()
        for part in parts:
            check_name(part, known, f"part of {type(self).__name__}")
        self.requires_grad_(False)
        for part in parts:
            for module in known[part]:
                module.requires_grad_(True)
        return self
