"""Experts of each modality behind gates, and weights of the modalities kept from favouring one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn.encoders import Encoders, heard
from featmer.nn.head import Answers, Head
from featmer.nn.reallocation import reallocate


class ModalityExperts(nn.Module):
    """Change each modality's vector by low-rank experts of its own, which a gate mixes.

    For the vector x of modality m: ``z = relu(A_m x)``, shared by its experts; ``g = softmax(G_m x)``; and
    ``h = relu(sum over e of g_e B_(m,e) z)``.

    Parameters
    ----------
    n_modalities : int
        Modalities.
    hidden : int
        Width of each modality's vector.
    experts : int
        Experts a modality.
    rank : int
        Width of z.

    Examples
    --------
    >>> changed, gates = ModalityExperts(2, hidden=8, experts=3, rank=4)(torch.ones(5, 2, 8))
    >>> changed.shape, gates.shape
    (torch.Size([5, 2, 8]), torch.Size([5, 2, 3]))
    """

    def __init__(self, n_modalities: int, hidden: int, experts: int, rank: int) -> None:
        super().__init__()
        self.narrow = nn.Parameter(torch.randn(n_modalities, hidden, rank) * (2 / hidden) ** 0.5)
        self.gate = nn.Parameter(torch.randn(n_modalities, hidden, experts) / hidden**0.5)
        self.widen = nn.Parameter(torch.randn(n_modalities, experts, rank, hidden) * (2 / rank) ** 0.5)

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Change the vectors.

        Parameters
        ----------
        views : Tensor, shape (n_rows, n_modalities, hidden)
            A vector a modality.

        Returns
        -------
        changed : Tensor, shape (n_rows, n_modalities, hidden)
            The vectors h; zeros where a vector was all zeros.
        gates : Tensor, shape (n_rows, n_modalities, experts)
            Weights of the experts; they sum to 1.
        """
        z = torch.einsum("nmh,mhr->nmr", views, self.narrow).relu()
        gates = torch.einsum("nmh,mhe->nme", views, self.gate).softmax(-1)
        mixed = (gates[..., None] * z[..., None, :]).flatten(2)  # all experts at once: (n_rows, n_modalities, e * r)
        return torch.einsum("nmk,mkh->nmh", mixed, self.widen.flatten(1, 2)).relu(), gates


def modality_bias(weights: Tensor, present: Tensor) -> Tensor:
    """Tell how far the mean weights of the modalities are from equal shares.

    This is the Kullback-Leibler divergence of the mean weights from the mean of what equal shares among the present
    modalities of each row would be: 0 if and only if they agree. Only the mean is held, so that a row may still lean on
    whatever modality serves it best.

    Parameters
    ----------
    weights : Tensor, shape (n_rows, n_modalities)
        Weights; rows sum to 1.
    present : Tensor of bool, shape (n_rows, n_modalities)
        False where a modality is missing.

    Returns
    -------
    Tensor, shape ()
        The divergence.

    Examples
    --------
    >>> present = torch.ones(2, 2, dtype=torch.bool)
    >>> modality_bias(torch.tensor([[0.9, 0.1], [0.1, 0.9]]), present).item()
    0.0
    """
    there = heard(present).to(weights.dtype)
    even = (there / there.sum(1, keepdim=True)).mean(0)
    mean = weights.mean(0)
    return (torch.xlogy(mean, mean) - torch.xlogy(mean, even)).sum()


def load_balance(gates: Tensor, counted: Tensor | None = None) -> Tensor:
    """Tell how unevenly a gate shares rows out to its experts.

    ``E sum over e of f_e P_e``, with f_e the share of the rows whose first choice is expert e and P_e the mean weight
    of e: 1 where all are used alike, E where one is used for all.

    Parameters
    ----------
    gates : Tensor, shape (n_rows, E)
        Weights of the experts; rows sum to 1.
    counted : Tensor of bool, shape (n_rows,), optional
        The rows that count; None for all.

    Returns
    -------
    Tensor, shape ()
        The measure; 0 if no row counts.

    References
    ----------
    Fedus, Zoph, Shazeer: Switch transformers: Scaling to trillion parameter models with simple and efficient sparsity.
    JMLR, 2022.

    Examples
    --------
    >>> load_balance(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), load_balance(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    (tensor(1.), tensor(2.))
    """
    counted = torch.ones_like(gates[:, 0]) if counted is None else counted.to(gates.dtype)
    n_rows = counted.sum().clamp(min=1)
    first = nn.functional.one_hot(gates.argmax(1), gates.shape[1]).to(gates.dtype)
    return gates.shape[1] * ((counted @ first) * (counted @ gates)).sum() / n_rows**2


class Experts(Head):
    """Mix low-rank experts in each modality, then the modalities by weights held in balance.

    Each modality's vector goes through its experts (see :class:`ModalityExperts`) to h_m; weights
    ``w = softmax(perceptron(all vectors))`` over the modalities that are there add them up, ``h = M sum of w_m h_m``
    with M the number of those. In training three things are added to the loss: each modality's own answer, made of h_m
    alone; :func:`modality_bias` of w, so that the mean weights stay equal and no modality is forgotten because another
    was easier to learn from; and :func:`load_balance` of each modality's gate.

    Parameters
    ----------
    hidden : int, default=128
        Width of each modality's vector.
    experts : int, default=4
        Experts a modality.
    rank : int, default=16
        Width that the experts of a modality start from.
    side_weight : float, default=0.3
        Weight of the modalities' own losses, their mean, beside the loss of all together.
    modality_balance : float, default=1.0
        Weight of :func:`modality_bias` in the loss.
    expert_balance : float, default=0.01
        Weight of :func:`load_balance`, summed over the modalities, in the loss.
    reallocation : float, default=0.0
        How far weights are evened out where the head is used, not trained; see :func:`reallocate`.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Notes
    -----
    The paper adapts a language model that sees audio and video; this is the same mechanism over feature vectors and any
    number of modalities. Its weights of the losses are not known; these are featmer's. Equal weights need not mean
    equal trust: in featmer's tests, trained on conflicts most of which were true to audio, the experts believed video
    more often than a plain perceptron did, but as often with and without :func:`modality_bias`, since vectors can speak
    louder where weights may not. It closed the gap where the mere number of audio's tokens drove the attention.

    References
    ----------
    Han et al.: Benchmarking and bridging emotion conflicts for multimodal emotion reasoning (MoSEAR).
    ACM Multimedia, 2025.

    Examples
    --------
    >>> Experts(experts=2)
    Experts(experts=2)
    """

    search_space = {**Head.search_space, "experts": [2, 4, 8], "rank": [8, 16, 32]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        experts: int = 4,
        rank: int = 16,
        side_weight: float = 0.3,
        modality_balance: float = 1.0,
        expert_balance: float = 0.01,
        reallocation: float = 0.0,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.experts = experts
        self.rank = rank
        self.side_weight = side_weight
        self.modality_balance = modality_balance
        self.expert_balance = expert_balance
        self.reallocation = reallocation
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        n_modalities = len(in_features)
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.of_modality = ModalityExperts(n_modalities, self.hidden, self.experts, self.rank)
        self.weigh = nn.Sequential(
            nn.Linear(n_modalities * self.hidden, self.hidden), nn.GELU(), nn.Linear(self.hidden, n_modalities)
        )
        self.drop = nn.Dropout(self.dropout)
        self.answers = nn.ModuleList(nn.Linear(self.hidden, n_outputs) for _ in in_features)
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def weights(self, views: Tensor, present: Tensor) -> Tensor:
        """Weigh the modalities.

        Parameters
        ----------
        views : Tensor, shape (n_rows, n_modalities, hidden)
            A vector a modality, as the encoders give it.
        present : Tensor of bool, shape (n_rows, n_modalities)
            False where it is missing.

        Returns
        -------
        Tensor, shape (n_rows, n_modalities)
            Weights; rows sum to 1. Equal ones where nothing is there.
        """
        weights = self.weigh(views.flatten(1)).masked_fill(~heard(present), -torch.inf).softmax(1)
        if self.training or not self.reallocation:
            return weights
        return reallocate(weights, torch.arange(weights.shape[1], device=weights.device), self.reallocation)

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs; see :class:`Head`."""
        views, present = self.encoders(batch)
        changed, gates = self.of_modality(views)
        weights = self.weights(views, present)
        fused = present.sum(1, keepdim=True) * (weights[..., None] * changed).sum(1)
        outputs = self.output(self.drop(fused))
        if not self.training:
            return outputs
        alone = zip(self.answers, self.drop(changed).unbind(1), strict=True)
        side = torch.stack([answer(vector) for answer, vector in alone])
        balance = torch.stack([load_balance(*each) for each in zip(gates.unbind(1), present.unbind(1), strict=True)])
        penalty = self.modality_balance * modality_bias(weights, present) + self.expert_balance * balance.sum()
        return Answers(outputs, side, self.side_weight, penalty)
