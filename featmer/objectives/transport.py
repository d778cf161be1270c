"""Any number of labels a row: what a clip shows is carried to its labels, and who supports whom can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.objectives.base import Objective
from featmer.objectives.multilabel import AsymmetricLoss


class Navigators(NamedTuple):
    """How tokens and labels share each other out.

    Attributes
    ----------
    forward : Tensor, shape (n_rows, n_tokens, n_labels)
        To which labels a token goes: sums to 1 over labels, or is 0 where the token is missing or there is no label.
    backward : Tensor, shape (n_rows, n_tokens, n_labels)
        From which tokens a label comes: sums to 1 over tokens, or is 0 where there is no token or not the label.
    """

    forward: Tensor
    backward: Tensor


class ConditionalTransport(Objective):
    """Asymmetric loss, and the cost of carrying a clip's tokens to the embeddings of its labels and back.

    The head gives tokens: vectors of a modality or a stretch of frames. The log odds of a label are the cosine of its
    embedding with the tokens that it comes from, scaled and shifted. So the same plan, `navigators`, decides and
    explains: it says which token supports which label. `featmer.nn.Aligner` gives tokens that mean something; the
    tokens of any other head are what it makes of them.

    Parameters
    ----------
    tokens : int, default=8
        Tokens a row that the head gives; those that are NaN are missing.
    hidden : int, default=64
        Width of tokens and of label embeddings.
    transport_weight : float, default=0.3
        Weight of the cost of transport; 0 leaves the asymmetric loss alone.
    temperature : float, default=0.1
        What cosines are divided by in the plans: the lower, the fewer tokens a label comes from.
    embeddings : sequence of sequence of float or None, default=None
        A vector a label to start from, such as embeddings of the labels' words, whose cosines are kept as well as
        ``hidden`` numbers allow; None starts from random directions at right angles.

    References
    ----------
    Li, Wang, Zheng, Chen, Zhou, Chen: PatchCT: aligning patch set and label set with conditional transport for
    multi-label image classification. ICCV, 2023. The log odds are ours.

    Examples
    --------
    >>> objective = ConditionalTransport(tokens=2, hidden=4).build(3)
    >>> objective.width(3), objective.decode(torch.ones(5, 8)).shape
    (8, torch.Size([5, 3]))
    >>> objective.navigators(torch.ones(5, 8)).backward.sum(1)[0]
    tensor([1., 1., 1.], grad_fn=<SelectBackward0>)
    """

    target = "indicators"

    def __init__(
        self,
        *,
        tokens: int = 8,
        hidden: int = 64,
        transport_weight: float = 0.3,
        temperature: float = 0.1,
        embeddings: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.hidden = hidden
        self.transport_weight = transport_weight
        self.temperature = temperature
        self.embeddings = embeddings

    def width(self, n_outputs: int) -> int:
        """Ask for tokens, one after another; see :class:`Objective`."""
        return self.tokens * self.hidden

    def build(self, n_outputs: int) -> Self:
        """Make the label embeddings, and scale and shift of cosines; see :class:`Objective`."""
        self.labels = nn.Parameter(self._first_labels(n_outputs))
        self.scale = nn.Parameter(torch.tensor(10.0))
        self.bias = nn.Parameter(torch.zeros(n_outputs))
        self.classification = AsymmetricLoss().build(n_outputs)
        return self

    def learn(self, targets: Tensor) -> Self:
        """Start each label from how frequent it is; see :class:`Objective`."""
        with torch.no_grad():
            self.bias.copy_(((targets.sum(0) + 1) / (len(targets) + 2)).logit())
        return self

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the asymmetric loss and the weighted cost of transport; see :class:`Objective`."""
        cosine, real = self._cosines(outputs)
        loss = self.classification.loss(self._log_odds(cosine, real), targets, batch)
        if not self.transport_weight:
            return loss
        return loss + self.transport_weight * transport_cost(cosine, real, targets > 0, self.temperature)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the probability of each label; see :class:`Objective`."""
        return self._log_odds(*self._cosines(outputs)).sigmoid()

    def navigators(self, outputs: Tensor) -> Navigators:
        """Tell which tokens support which labels, where every label may hold.

        Parameters
        ----------
        outputs : Tensor, shape (n_rows, tokens * hidden)
            What the head gave.

        Returns
        -------
        Navigators
            The plans in both directions.
        """
        cosine, real = self._cosines(outputs)
        return navigators(cosine, real, torch.ones_like(cosine[:, 0], dtype=torch.bool), self.temperature)

    def _first_labels(self, n_outputs: int) -> Tensor:
        if self.embeddings is None:
            return nn.init.orthogonal_(torch.empty(n_outputs, self.hidden))
        given = torch.tensor(self.embeddings, dtype=torch.float64)
        if given.ndim != 2 or len(given) != n_outputs or not given.isfinite().all():
            raise ValueError(
                f"embeddings have shape {tuple(given.shape)}; expected ({n_outputs}, width), a vector of finite "
                f"numbers for each label in the order of the classes."
            )
        left, singular, _ = torch.linalg.svd(F.normalize(given, dim=1), full_matrices=False)
        rotated = (left * singular)[:, : self.hidden]
        return F.pad(rotated, (0, self.hidden - rotated.shape[1])).float()

    def _cosines(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cosine of each token with each label, and which tokens are there."""
        tokens = outputs.unflatten(1, (self.tokens, self.hidden))
        real = ~tokens.isnan().any(-1)
        tokens = F.normalize(torch.where(real[..., None], tokens, 0.0), dim=-1, eps=1e-6)
        return tokens @ F.normalize(self.labels.to(outputs.dtype), dim=-1, eps=1e-6).T, real

    def _log_odds(self, cosine: Tensor, real: Tensor) -> Tensor:
        every = torch.ones_like(cosine[:, 0], dtype=torch.bool)
        plan = navigators(cosine, real, every, self.temperature).backward
        return self.scale.to(cosine.dtype) * (plan * cosine).sum(1) + self.bias.to(cosine.dtype)


def navigators(cosine: Tensor, real: Tensor, present: Tensor, temperature: float) -> Navigators:
    """Share tokens out to labels and labels to tokens, by how alike they are.

    Parameters
    ----------
    cosine : Tensor, shape (n_rows, n_tokens, n_labels)
        Of tokens and label embeddings.
    real : Tensor of bool, shape (n_rows, n_tokens)
        False where a token is missing.
    present : Tensor of bool, shape (n_rows, n_labels)
        The labels that tokens may go to.
    temperature : float
        What cosines are divided by.

    Returns
    -------
    Navigators
        The plans in both directions.

    Examples
    --------
    >>> cosine = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> both, one = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[True, False]])
    >>> navigators(cosine, both, one, 0.1).forward
    tensor([[[1., 0.],
             [1., 0.]]])
    """
    allowed = real[:, :, None] & present[:, None]
    scores = (cosine / temperature).masked_fill(~allowed, torch.finfo(cosine.dtype).min)
    return Navigators(*(scores.softmax(dim) * allowed for dim in (2, 1)))


def transport_cost(cosine: Tensor, real: Tensor, present: Tensor, temperature: float) -> Tensor:
    """Tell what it costs to carry tokens to the labels that a row has, and the labels back to tokens.

    Parameters
    ----------
    cosine : Tensor, shape (n_rows, n_tokens, n_labels)
        Of tokens and label embeddings; 1 less the cosine is the cost of a way.
    real : Tensor of bool, shape (n_rows, n_tokens)
        False where a token is missing.
    present : Tensor of bool, shape (n_rows, n_labels)
        The labels that rows have.
    temperature : float
        What cosines are divided by in the plans.

    Returns
    -------
    Tensor
        Half the mean cost a token and half the mean cost a label, averaged over rows that have both.

    References
    ----------
    Zheng, Zhou: Exploiting chain rule and Bayes' theorem to compare probability distributions. NeurIPS, 2021.

    Examples
    --------
    >>> both = torch.ones(1, 2, dtype=torch.bool)
    >>> transport_cost(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), both, both, 0.01).round()
    tensor(0.)
    """
    plan = navigators(cosine, real, present, temperature)
    ways = 1 - cosine
    n_tokens, n_labels = real.sum(1), present.sum(1)
    to_labels = (plan.forward * ways).sum((1, 2)) / n_tokens.clamp(min=1)
    to_tokens = (plan.backward * ways).sum((1, 2)) / n_labels.clamp(min=1)
    both = (n_tokens > 0) & (n_labels > 0)
    return torch.where(both, to_labels + to_tokens, 0.0).sum() / (2 * both.sum().clamp(min=1))
