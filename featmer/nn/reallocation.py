"""Attention evened out between modalities at inference, without a weight to learn."""

from __future__ import annotations

from torch import Tensor


def reallocate(attention: Tensor, groups: Tensor, strength: float, threshold: float = 0.0) -> Tensor:
    """Move attention from the modalities that hold much of it to those that hold little.

    With s_m the attention that the tokens of modality m hold together, S their sum and M the number of modalities that
    hold any, modality m is to hold ``t_m = (1 - strength) s_m + strength S / M``, and each of its tokens is multiplied
    by ``t_m / s_m``. So rows keep their sums, and the tokens of a modality keep their ratios.

    Parameters
    ----------
    attention : Tensor, shape (..., n_tokens)
        Rows of weights, none negative.
    groups : Tensor of int, shape (n_tokens,)
        The modality of each token, counted from 0; the weights of tokens at -1 stay as they are.
    strength : float
        From 0, nothing changes, to 1, all modalities that hold attention hold the same.
    threshold : float, default=0.0
        Only rows in which a single modality holds more than this share of S are changed.

    Returns
    -------
    Tensor, shape (..., n_tokens)
        The rows, changed.

    Raises
    ------
    ValueError
        If strength is not between 0 and 1.

    References
    ----------
    Han et al.: Benchmarking and bridging emotion conflicts for multimodal emotion reasoning (MoSEAR).
    ACM Multimedia, 2025. There the attention is that of a frozen language model.

    Examples
    --------
    >>> import torch
    >>> row = torch.tensor([0.5, 0.3, 0.2])  # two tokens of audio, one of video
    >>> reallocate(row, torch.tensor([0, 0, 1]), strength=1.0)
    tensor([0.3125, 0.1875, 0.5000])
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"The strength of reallocation must be between 0 and 1, got {strength!r}.")
    members = (groups[:, None] == groups.unique()[groups.unique() >= 0]).to(attention.dtype)
    held = attention @ members
    total = held.sum(-1, keepdim=True)
    even = total / (held > 0).sum(-1, keepdim=True).clamp(min=1)
    factor = (1 - strength) + strength * even / held.where(held > 0, 1.0)
    factor = factor.where(held.amax(-1, keepdim=True) > threshold * total, 1.0)
    return attention * (factor @ members.T + (groups < 0).to(attention.dtype))
