"""Tokens of a modality, and the modality of tokens: what masked modelling hides and rebuilds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCHES = 8  # pieces that a vector is cut into
LONGEST_WAVE = 10_000  # of the positions of frames, in frames over two pi


class Frames(nn.Module):
    """A token a frame, with a sinusoidal position, so that a sequence may be of any length.

    Parameters
    ----------
    n_features : int
        Width of a frame.
    hidden : int
        Width of a token.

    References
    ----------
    Vaswani et al.: Attention is all you need. NeurIPS, 2017.

    Examples
    --------
    >>> frames = Frames(5, hidden=8)
    >>> tokens = frames(torch.zeros(2, 7, 5))
    >>> tokens.shape, frames.decoder()(tokens).shape
    (torch.Size([2, 7, 8]), torch.Size([2, 7, 5]))
    """

    def __init__(self, n_features: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Linear(n_features, hidden)

    def forward(self, values: Tensor) -> Tensor:
        """Make tokens (n_rows, n_frames, hidden) of values (n_rows, n_frames, n_features)."""
        return self.embed(values)

    def decoder(self) -> nn.Module:
        """Make a module that maps tokens to values."""
        return nn.Linear(self.embed.out_features, self.embed.in_features)

    def place(self, tokens: Tensor) -> Tensor:
        """Return the positions (n_tokens, hidden) of tokens (n_rows, n_tokens, hidden)."""
        frame = torch.arange(tokens.shape[1], device=tokens.device)[:, None]
        wave = torch.arange(tokens.shape[2], device=tokens.device)
        turned = frame / LONGEST_WAVE ** (wave // 2 * 2 / tokens.shape[2]) + wave % 2 * torch.pi / 2
        return turned.sin().to(tokens.dtype)

    def spread(self, hidden: Tensor) -> Tensor:
        """Bring a mask over tokens (n_rows, n_tokens) to one that fits the values."""
        return hidden[..., None]


class Patches(nn.Module):
    """A few tokens a vector: it is cut to pieces of equal width, each with weights and a position of its own.

    One token a vector would leave nothing to rebuild it from but other modalities. Neighbouring features are mostly
    related (statistics of one descriptor, units of one face), so a piece is no random draw.

    Parameters
    ----------
    n_features : int
        Width of the vector.
    hidden : int
        Width of a token.

    Examples
    --------
    >>> patches = Patches(88, hidden=16)
    >>> tokens = patches(torch.zeros(2, 88))
    >>> tokens.shape, patches.decoder()(tokens).shape
    (torch.Size([2, 8, 16]), torch.Size([2, 88]))
    """

    def __init__(self, n_features: int, hidden: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.width = -(-n_features // PATCHES)
        self.count = -(-n_features // self.width)
        # A grouped convolution over a single step is one linear layer a piece.
        self.embed = nn.Conv1d(self.count * self.width, self.count * hidden, 1, groups=self.count)
        self.position = nn.Parameter(torch.randn(self.count, hidden) / hidden**0.5)

    def forward(self, values: Tensor) -> Tensor:
        """Make tokens (n_rows, n_tokens, hidden) of values (n_rows, n_features)."""
        padded = F.pad(values, (0, self.count * self.width - self.n_features))
        return self.embed(padded[..., None]).unflatten(1, (self.count, -1)).squeeze(-1)

    def place(self, tokens: Tensor) -> Tensor:
        """Return the positions (n_tokens, hidden) of tokens (n_rows, n_tokens, hidden)."""
        return self.position

    def decoder(self) -> nn.Module:
        """Make a module that maps tokens to values."""
        return Joined(self.count, self.position.shape[1], self.width, self.n_features)

    def spread(self, hidden: Tensor) -> Tensor:
        """Bring a mask over tokens (n_rows, n_tokens) to one that fits the values."""
        return hidden.repeat_interleave(self.width, 1)[:, : self.n_features]


class Joined(nn.Module):
    """The way back from pieces to a vector, one linear layer a piece.

    Parameters
    ----------
    count : int
        Pieces a vector.
    hidden : int
        Width of a token.
    width : int
        Width of a piece.
    n_features : int
        Width of the vector.
    """

    def __init__(self, count: int, hidden: int, width: int, n_features: int) -> None:
        super().__init__()
        self.n_features = n_features
        self.back = nn.Conv1d(count * hidden, count * width, 1, groups=count)

    def forward(self, tokens: Tensor) -> Tensor:
        """Make values (n_rows, n_features) of tokens (n_rows, n_tokens, hidden)."""
        return self.back(tokens.flatten(1)[..., None]).squeeze(-1)[:, : self.n_features]


def choose_masked(real: Tensor, ratio: float) -> Tensor:
    """Choose tokens to hide, in every row the same share, rounded down so that one is always left.

    Parameters
    ----------
    real : Tensor of bool, shape (n_rows, n_tokens)
        False where there is no token.
    ratio : float
        Share to hide, below 1.

    Returns
    -------
    Tensor of bool, shape (n_rows, n_tokens)
        True at the tokens to hide.

    Raises
    ------
    ValueError
        If the ratio is no share below 1.

    Examples
    --------
    >>> choose_masked(torch.ones(3, 5, dtype=torch.bool), 0.6).sum(1).tolist()
    [3, 3, 3]
    """
    if not 0 <= ratio < 1:
        raise ValueError(f"mask_ratio must be 0 or more and below 1, got {ratio!r}.")
    noise = torch.rand(real.shape, device=real.device).masked_fill(~real, 2.0)  # what is not real comes last
    rank = noise.argsort(1).argsort(1)
    return rank < (ratio * real.sum(1, keepdim=True) + 1e-6).floor()


def masked_error(rebuilt: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
    """Return the mean squared error where values were hidden; 0 where none were.

    Parameters
    ----------
    rebuilt, values : Tensor of one shape
        What was rebuilt, and what was there.
    hidden : Tensor of bool, broadcasting to that shape
        True where values were hidden.

    Returns
    -------
    Tensor, shape ()
        The error.

    Examples
    --------
    >>> masked_error(torch.zeros(1, 2), torch.tensor([[3.0, 9.0]]), torch.tensor([[True, False]]))
    tensor(9.)
    """
    hidden = hidden.expand_as(values)
    return ((rebuilt - values).square() * hidden).sum() / hidden.sum().clamp(min=1)
