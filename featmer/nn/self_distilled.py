"""A head that learns to do without: trained with features missing, taught by what it says when all are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from featmer._parts import make_part
from featmer.collate import Batch
from featmer.missing import Rate, draw_missing
from featmer.nn.head import Answers, Head


class SelfDistilled(Head):
    """Any head, trained to say without some features what it says with all of them.

    Every batch goes through the head twice, with the same weights: whole, and with features missing, drawn anew each
    time. Both answers are held to the objective; the second one also to the first, as are the vectors from which the
    last layer made them. Used, not trained, it is the head alone.

    The paper (MSSD) takes one step for each pass, also compares attention, and restores the missing frames; these need
    its own network. Here there is one step, and what any head has is compared.

    Parameters
    ----------
    head : str or Head, default="transformer"
        A name in ``HEADS``, or an object.
    modalities : iterable of str, default=None
        From which something goes missing; None for all.
    how : {"rmfm", "rmfm_same", "rmm", "tmfm", "stmfm"}, default="rmfm"
        What goes as one; see `featmer.missing.draw_missing`.
    rate : float or None, default=None
        How much; None draws it evenly from 0 to 1.
    distillation : bool, default=True
        Whether there are two passes; without, all that is learnt from has features missing: plain augmentation.
    agreement : float, default=0.1
        Weight of the smooth L1 distance between the outputs of the two passes.
    representation : float, default=0.5
        Weight of 1 minus the cosine between what reaches the layer ``output`` in both, in heads that have such a layer.

    References
    ----------
    CIDer: arXiv 2506.10452, 2025.

    Examples
    --------
    >>> head = SelfDistilled("concat").build({"audio": 3, "text": 5}, n_outputs=2)
    >>> sum(weights.numel() for weights in head.parameters())
    35202
    """

    search_space = {}  # that of the head inside it

    def __init__(
        self,
        head: str | Head = "transformer",
        *,
        modalities: Iterable[str] | None = None,
        how: str = "rmfm",
        rate: Rate = None,
        distillation: bool = True,
        agreement: float = 0.1,
        representation: float = 0.5,
    ):
        super().__init__()
        self.head = head
        self.modalities = modalities
        self.how = how
        self.rate = rate
        self.distillation = distillation
        self.agreement = agreement
        self.representation = representation

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers of the head; see :class:`Head`."""
        self.inner = self._fresh().build(in_features, n_outputs, sequences)
        return self

    @property
    def tokens(self) -> int:  # type: ignore[override]
        """As of the head."""
        return self._fresh().tokens

    @property
    def context(self) -> str:  # type: ignore[override]
        """As of the head."""
        return self._fresh().context

    def _fresh(self) -> Head:
        from featmer.nn import HEADS  # which this module is a part of

        return make_part(self.head, HEADS, Head)

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs; see :class:`Head`."""
        if not self.training:
            return self.inner(batch)
        less = self._thinned(batch)
        if not self.distillation:
            return self.inner(less)
        whole, seen = self._pass(batch)
        missing, seen_less = self._pass(less)
        said, taught = missing.outputs.nan_to_num(), whole.outputs.detach().nan_to_num()  # tokens may be missing
        penalty = self.agreement * functional.smooth_l1_loss(said, taught)
        for own, teacher in zip(seen_less, seen, strict=True):
            penalty += self.representation * (1 - functional.cosine_similarity(own, teacher.detach(), dim=-1)).mean()
        sides = [*whole.side, missing.outputs, *missing.side]
        n_own = len(whole.side)
        each = [whole.side_weight / max(n_own, 1)] * n_own  # of a mean over all sides, as the loss takes it
        weights = len(sides) * torch.as_tensor([*each, 1.0, *each], device=whole.outputs.device)
        return Answers(whole.outputs, torch.stack(sides), weights, whole.penalty + missing.penalty + penalty)

    def _pass(self, batch: Batch) -> tuple[Answers, list[Tensor]]:
        """Return what the head says, and what its output layer made it of."""
        seen: list[Tensor] = []
        output = getattr(self.inner, "output", None)
        if not isinstance(output, nn.Module):
            answers = self.inner(batch)
        else:
            watch = output.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
            try:
                answers = self.inner(batch)
            finally:
                watch.remove()
        return answers if isinstance(answers, Answers) else Answers(answers), seen

    def _thinned(self, batch: Batch) -> Batch:
        """Return a batch with features missing."""
        chosen = [name for name in batch.features if self.modalities is None or name in self.modalities]
        real = {name: _real(batch, name) for name in chosen}
        lengths = {name: mask.sum(1).cpu().numpy() for name, mask in real.items()}
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        gone: dict[str, Any] = draw_missing(lengths, self.how, self.rate, rng)
        features, present, frames = dict(batch.features), dict(batch.present), dict(batch.frames)
        for name, mask in real.items():
            left = torch.zeros_like(mask).masked_scatter(mask, torch.from_numpy(~gone[name]).to(mask.device))
            if name in frames:
                frames[name] = left & frames[name]
                present[name] = present[name] & frames[name].any(1)
                features[name] = torch.where(frames[name][..., None], features[name], 0.0)
            else:
                present[name] = present[name] & left[:, 0]
                features[name] = torch.where(present[name][:, None], features[name], 0.0)
        return replace(batch, features=features, present=present, frames=frames)


def _real(batch: Batch, name: str) -> Tensor:
    """Return which places of a row hold frames, gaps between frames included; a vector is one."""
    if name not in batch.frames:
        return torch.ones_like(batch.present[name])[:, None]
    return batch.frames[name].flip(1).cumsum(1).flip(1) > 0
