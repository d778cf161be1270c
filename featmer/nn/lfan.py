"""Leader and followers: causal convolutions over each modality, attention across modalities at every step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.attention import only
from featmer.nn.encoders import Frames, heard
from featmer.nn.head import Answers, Head

KERNEL = 5
DILATIONS = (1, 2, 4, 8)  # so that a step sees 120 before it
TRAINED_STEPS = 32  # of a clip, spread over it


class _Normed(nn.Conv1d):
    """A causal convolution whose weights are a direction and a length, each learned: torch's own cannot be pickled."""

    def __init__(self, width: int, hidden: int, dilation: int) -> None:
        super().__init__(width, hidden, KERNEL, dilation=dilation)
        self.length = nn.Parameter(self.weight.detach().flatten(1).norm(dim=1))

    def forward(self, steps: Tensor) -> Tensor:
        weight = self.weight * (self.length / self.weight.flatten(1).norm(dim=1))[:, None, None]
        before = (KERNEL - 1) * self.dilation[0]
        return F.conv1d(F.pad(steps, (before, 0)), weight, self.bias, dilation=self.dilation)


class CausalConvolution(nn.Module):
    """Convolve a sequence so that no step sees a later one.

    Two weight-normalised convolutions, each with a leaky rectifier and dropout, and the sequence itself added.

    Parameters
    ----------
    width, hidden : int
        Width of a step that goes in, and of one that comes out.
    dilation : int
        How far apart the steps are that are looked at together.
    dropout : float
        Share of entries set to zero in training.

    Examples
    --------
    >>> CausalConvolution(3, 8, dilation=2, dropout=0.1)(torch.ones(4, 3, 10)).shape
    torch.Size([4, 8, 10])
    """

    def __init__(self, width: int, hidden: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = _Normed(width, hidden, dilation)
        self.second = _Normed(hidden, hidden, dilation)
        self.itself = nn.Conv1d(width, hidden, 1) if width != hidden else nn.Identity()
        self.drop = nn.Dropout(dropout)

    def forward(self, steps: Tensor) -> Tensor:
        """Convolve.

        Parameters
        ----------
        steps : Tensor, shape (n_rows, width, n_steps)
            The sequences.

        Returns
        -------
        Tensor, shape (n_rows, hidden, n_steps)
            Each step knows of itself and earlier ones.
        """
        changed = steps
        for convolve in (self.first, self.second):
            changed = self.drop(F.leaky_relu(convolve(changed)))
        return F.leaky_relu(changed + self.itself(steps))


class AcrossModalities(nn.Module):
    """Let the modalities of a step look at each other, each through weights of its own.

    Parameters
    ----------
    n_modalities : int
        Modalities.
    hidden : int
        Width of a modality's step.
    width : int
        Width of queries, keys and values.
    heads : int
        Attention heads; must divide ``width``.

    Examples
    --------
    >>> AcrossModalities(3, 16, width=8, heads=2)(torch.ones(5, 3, 16), torch.ones(5, 3, dtype=torch.bool)).shape
    torch.Size([5, 3, 8])
    """

    def __init__(self, n_modalities: int, hidden: int, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads must divide half of hidden, got hidden={hidden} and heads={heads}.")
        self.heads = heads
        self.query_key_value = nn.ModuleList(nn.Linear(hidden, 3 * width) for _ in range(n_modalities))

    def forward(self, steps: Tensor, present: Tensor) -> Tensor:
        """Let them look.

        Parameters
        ----------
        steps : Tensor, shape (n, n_modalities, hidden)
            A vector a modality.
        present : Tensor of bool, shape (n, n_modalities)
            False where it is missing.

        Returns
        -------
        Tensor, shape (n, n_modalities, width)
            What each saw, and its own value; zeros where it is missing.
        """
        made = [make(step) for make, step in zip(self.query_key_value, steps.unbind(1), strict=True)]
        tokens = torch.stack(made, dim=1).unflatten(-1, (3, self.heads, -1))  # (n, n_modalities, 3, heads, depth)
        query, key, value = tokens.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, only(heard(present), steps.dtype)) + value
        return seen.transpose(1, 2).flatten(2) * present[..., None]


class LFAN(Head):
    """Answer every step of a clip by its leading modality and by all that look at each other; then take the mean.

    Causal convolutions read each modality; at every step the modalities look at each other, and what they saw, side by
    side, follows the leader, which speaks for itself as well. The outputs of a row are the mean of its steps' outputs.
    In training the steps learn too: each of up to 32 that are spread over the clip is held to its target.

    Modalities need not have as many frames as each other: the one with the most gives the steps, and others stay as
    they are until their next frame is due. A vector is a sequence of a single frame.

    Parameters
    ----------
    leader : str, default="first"
        The modality that leads; "first" is the first of the table.
    hidden : int, default=64
        Width of a modality's step; twice that of what the others see of it.
    heads : int, default=2
        Attention heads; must divide half of ``hidden``.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    Notes
    -----
    The mean of outputs is one of three ways to decide about a clip; :func:`featmer.estimators.frame_outputs` and
    :func:`featmer.decisions.decide_clips` take the others. Layer norm stands in place of batch norm, so that what a
    clip gets does not depend on its neighbours; all modalities have one width.

    References
    ----------
    Zhang, Ding, Wei, Guan: Continuous emotion recognition with audio-visual leader-follower attentive fusion. ICCV
    workshops, 2021. As used by Richet et al.: Textualized and feature-based models for compound multimodal emotion
    recognition in the wild. ECCV workshops, 2024.

    Examples
    --------
    >>> LFAN(leader="face")
    LFAN(leader='face')
    """

    def __init__(self, *, leader: str = "first", hidden: int = 64, heads: int = 2, dropout: float = 0.3) -> None:
        super().__init__()
        self.leader = leader
        self.hidden = hidden
        self.heads = heads
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        check_name(self.leader, ("first", *in_features), "leading modality")
        self.modalities = tuple(in_features)
        width = self.hidden // 2
        self.convolutions = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(self.dropout),
                *(
                    CausalConvolution(size if dilation == 1 else self.hidden, self.hidden, dilation, self.dropout)
                    for dilation in DILATIONS
                ),
            )
            for size in in_features.values()
        )
        self.norms = nn.ModuleList(nn.LayerNorm(self.hidden) for _ in in_features)
        self.across = AcrossModalities(len(in_features), self.hidden, width, self.heads)
        self.follow = nn.Sequential(
            nn.Linear(len(in_features) * width, len(in_features) * width),
            nn.Dropout(self.dropout),
            nn.LayerNorm(len(in_features) * width),
        )
        self.output = nn.Linear(self.hidden + len(in_features) * width, n_outputs)
        return self

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs; see :class:`Head`."""
        outputs, real = self.frame_outputs(batch)
        n_steps = real.sum(1)
        whole = (outputs * real[..., None]).sum(1) / n_steps[:, None]
        if not self.training:
            return whole
        trained = min(TRAINED_STEPS, outputs.shape[1])
        places = (torch.arange(trained, device=real.device) + 0.5) / trained
        side = _take(outputs, (places * n_steps[:, None]).long())
        return Answers(whole, side.transpose(0, 1))

    def frame_outputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Map a batch to outputs of every step.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        outputs : Tensor, shape (n_rows, n_steps, n_outputs)
            Raw scores of each step, from it and those before it.
        real : Tensor of bool, shape (n_rows, n_steps)
            False after the last step of a row.
        """
        given = [_frames(batch, name) for name in self.modalities]
        counts = torch.stack([_count(frames.real) for frames in given])
        n_steps = counts.amax(0)
        step = torch.arange(int(n_steps.max()), device=n_steps.device)
        real = step < n_steps[:, None]
        read = []
        for frames, convolve, norm, count in zip(given, self.convolutions, self.norms, counts, strict=True):
            values = norm(convolve(frames.values.transpose(1, 2)).transpose(1, 2))
            # Integers, so that as many frames as steps are the steps themselves.
            read.append(_take(values, (step * count[:, None]).div(n_steps[:, None], rounding_mode="floor")))
        present = torch.stack([batch.present[name] for name in self.modalities], dim=1)
        steps = torch.stack(read, dim=2) * present[:, None, :, None]  # (n_rows, n_steps, n_modalities, hidden)
        seen = self.across(steps.flatten(0, 1), present.repeat_interleave(len(step), dim=0))
        followers = self.follow(seen.flatten(1)).view(*real.shape, -1)
        leader = 0 if self.leader == "first" else self.modalities.index(self.leader)
        return self.output(torch.cat([steps[:, :, leader], followers], dim=-1)), real


def _frames(batch: Batch, modality: str) -> Frames:
    """Return the frames of a modality, at least one a row, zeros where there is nothing; of a vector, one."""
    values, real = batch.features[modality], batch.frames.get(modality)
    if real is None:
        values, real = values[:, None], batch.present[modality][:, None]
    if not real.shape[1]:  # no row has any
        values, real = values.new_zeros(len(values), 1, values.shape[2]), real.new_zeros(len(real), 1)
    return Frames(values * real[..., None], real)


def _count(real: Tensor) -> Tensor:
    """Return how many frames each row has, at least 1: up to its last real one."""
    return (real * torch.arange(1, real.shape[1] + 1, device=real.device)).amax(1).clamp(min=1)


def _take(frames: Tensor, places: Tensor) -> Tensor:
    """Return the frames of each row at its places, the last one for those after it."""
    places = places.clamp(max=frames.shape[1] - 1)
    return frames.gather(1, places[..., None].expand(-1, -1, frames.shape[-1]))
