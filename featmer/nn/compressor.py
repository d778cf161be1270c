"""Two compressors of the modalities, one for general and one for emotional matter, and a gate between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, Self

import torch
from torch import Tensor, nn

from featmer._checks import check_name
from featmer.collate import Batch
from featmer.nn.attention import Attention, only
from featmer.nn.encoders import Encoders, heard
from featmer.nn.experts import load_balance
from featmer.nn.head import Answers, Head

GATES = ("token", "sample")
NORMALIZATIONS = ("none", "softmax")
ROUTES = ("gate", "general", "emotion")


class TokenCompressor(nn.Module):
    """Make few tokens of many: learned queries look at them, then a perceptron.

    Parameters
    ----------
    hidden : int
        Width of a token.
    n_tokens : int
        Tokens that come out.
    heads : int
        Attention heads; must divide ``hidden``.

    Examples
    --------
    >>> TokenCompressor(8, n_tokens=2, heads=2)(torch.ones(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 2, 8])
    """

    def __init__(self, hidden: int, n_tokens: int, heads: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(n_tokens, hidden) / hidden**0.5)
        self.attention = Attention(hidden, heads)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(hidden), nn.Linear(hidden, 2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden)
        )

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Compress tokens.

        Parameters
        ----------
        tokens : Tensor, shape (n_rows, n_tokens_in, hidden)
            The tokens.
        there : Tensor of bool, shape (n_rows, n_tokens_in)
            False where a token is not to be looked at; at least one True a row.

        Returns
        -------
        Tensor, shape (n_rows, n_tokens, hidden)
            Fewer tokens.
        """
        queries = self.queries.repeat(len(tokens), 1, 1)
        seen = self.attention(queries, tokens, tokens, only(there))
        return seen + self.perceptron(seen)


class HybridCompressor(nn.Module):
    """Compress tokens by a general and by an emotion expert, and add both up through a gate.

    ``h = g_emotion E(x) + g_general G(x)``. The gate lets the tokens look at each other by multi-head attention, takes
    their mean, and makes the weights of it by two layers of a linear map, ReLU and LayerNorm and a linear map at the
    end.

    Parameters
    ----------
    hidden : int
        Width of a token.
    n_tokens : int, default=2
        Tokens that come out.
    heads : int, default=4
        Attention heads of the experts and of the gate; must divide ``hidden``.
    gate : {"sample", "token"}, default="sample"
        Whether a row has one pair of weights, or each of its tokens that come out.
    normalize : {"softmax", "none"}, default="softmax"
        Whether the two weights sum to 1, or are free.

    Notes
    -----
    The paper ends the gate with its second ReLU and LayerNorm; over two numbers these leave little but a sign, so here
    a linear map follows them.

    References
    ----------
    Huang et al.: Emotion-Qwen: A unified framework for emotion and vision understanding. arXiv 2505.06685, 2025.
    There the tokens are those of pictures, and the compressed ones go to a language model.

    Examples
    --------
    >>> compress = HybridCompressor(8, n_tokens=2, heads=2)
    >>> compressed, gates = compress(torch.ones(3, 5, 8), torch.ones(3, 5, dtype=torch.bool))
    >>> compressed.shape, gates.shape
    (torch.Size([3, 2, 8]), torch.Size([3, 1, 2]))
    """

    def __init__(
        self,
        hidden: int,
        n_tokens: int = 2,
        heads: int = 4,
        gate: str = "sample",
        normalize: str = "softmax",
    ) -> None:
        super().__init__()
        check_name(gate, GATES, "gate")
        check_name(normalize, NORMALIZATIONS, "normalize")
        self.normalize = normalize
        self.emotion, self.general = (TokenCompressor(hidden, n_tokens, heads) for _ in range(2))
        self.look = Attention(hidden, heads)
        last = nn.Linear(hidden, 2 * (n_tokens if gate == "token" else 1))
        nn.init.constant_(last.bias, 0.5)  # free weights, too, start with both experts heard
        layers = (nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.LayerNorm(hidden)) for _ in range(2))
        self.weigh = nn.Sequential(*layers, last)

    def forward(self, tokens: Tensor, present: Tensor, route: str = "gate") -> tuple[Tensor, Tensor]:
        """Compress the tokens of each row.

        Parameters
        ----------
        tokens : Tensor, shape (n_rows, n_tokens_in, hidden)
            The tokens.
        present : Tensor of bool, shape (n_rows, n_tokens_in)
            False where a token is missing.
        route : {"gate", "general", "emotion"}, default="gate"
            Whether the gate decides, or one expert works alone.

        Returns
        -------
        compressed : Tensor, shape (n_rows, n_tokens, hidden)
            What comes out.
        gates : Tensor, shape (n_rows, 1 or n_tokens, 2)
            Weights of the emotion expert and of the general one.
        """
        check_name(route, ROUTES, "route")
        there = heard(present)
        if route == "gate":
            gates = self._gates(tokens, there)
            emotion, general = self.emotion(tokens, there), self.general(tokens, there)
            return gates[..., :1] * emotion + gates[..., 1:] * general, gates
        alone = self.emotion if route == "emotion" else self.general
        gates = tokens.new_tensor([route == "emotion", route == "general"]).expand(len(tokens), 1, 2)
        return alone(tokens, there), gates

    def _gates(self, tokens: Tensor, there: Tensor) -> Tensor:
        looked = self.look(tokens, tokens, tokens, only(there))
        mean = (looked * there[..., None]).sum(1) / there.sum(1, keepdim=True)
        gates = self.weigh(mean).unflatten(1, (-1, 2))
        return gates.softmax(-1) if self.normalize == "softmax" else gates


class Compressor(Head):
    """Compress the modalities of a row by a general and an emotion expert behind a gate.

    The modalities' vectors are the tokens of a :class:`HybridCompressor`; what comes out is read by a linear map.

    A model can learn emotions without forgetting what it knew. Fit ``FusionClassifier(Compressor(route="general"),
    warm_start=True)`` on the older task; then ``set_params(head__route="emotion", stages=["emotion"])`` and fit on the
    emotional one; at last ``set_params(head__route="gate", stages=["gate"])`` and fit on some rows of both tasks, from
    which the gate learns what is whose: emotional rows alone cannot tell it.

    Parameters
    ----------
    hidden : int, default=128
        Width of a token.
    n_tokens : int, default=2
        Tokens that the modalities are compressed to.
    heads : int, default=4
        Attention heads; must divide ``hidden``.
    gate : {"sample", "token"}, default="sample"
        Whether a row has one pair of weights, or each of its compressed tokens.
    normalize : {"softmax", "none"}, default="softmax"
        Whether the two weights sum to 1, or are free.
    route : {"gate", "general", "emotion"}, default="gate"
        Whether the gate decides, or one expert works alone.
    balance : float, default=0.0
        Weight of :func:`featmer.nn.experts.load_balance` of the gate in the loss.
    dropout : float, default=0.3
        Share of features and of hidden entries set to zero in training.

    References
    ----------
    Huang et al.: Emotion-Qwen: A unified framework for emotion and vision understanding. arXiv 2505.06685, 2025.

    Examples
    --------
    >>> Compressor(gate="token")
    Compressor(gate='token')
    """

    search_space = {**Head.search_space, "n_tokens": [1, 2, 4]}

    def __init__(
        self,
        *,
        hidden: int = 128,
        n_tokens: int = 2,
        heads: int = 4,
        gate: Literal["token", "sample"] = "sample",
        normalize: Literal["none", "softmax"] = "softmax",
        route: Literal["gate", "general", "emotion"] = "gate",
        balance: float = 0.0,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.n_tokens = n_tokens
        self.heads = heads
        self.gate = gate
        self.normalize = normalize
        self.route = route
        self.balance = balance
        self.dropout = dropout

    def build(self, in_features: Mapping[str, int], n_outputs: int, sequences: Collection[str] = ()) -> Self:
        """Make the layers; see :class:`Head`."""
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.compress = HybridCompressor(self.hidden, self.n_tokens, self.heads, self.gate, self.normalize)
        self.drop = nn.Dropout(self.dropout)
        self.output = nn.Linear(self.n_tokens * self.hidden, n_outputs)
        return self

    def parts(self) -> dict[str, list[nn.Module]]:
        """Name the parts that training may learn by themselves; see :class:`Head`.

        Returns
        -------
        dict of str to list of Module
            Those of every head, "general", "emotion" and "gate".

        Examples
        --------
        >>> head = Compressor(hidden=8).build({"face": 3}, n_outputs=2).learn_only("emotion")
        >>> {name.split(".")[1] for name, weights in head.named_parameters() if weights.requires_grad}
        {'emotion'}
        """
        compress = self.compress
        own: dict[str, list[nn.Module]] = {
            "general": [compress.general],
            "emotion": [compress.emotion],
            "gate": [compress.look, compress.weigh],
        }
        return super().parts() | own

    def forward(self, batch: Batch) -> Tensor | Answers:
        """Map a batch to outputs; see :class:`Head`."""
        compressed, gates = self.compress(*self.encoders(batch), self.route)
        outputs = self.output(self.drop(compressed).flatten(1))
        if not self.training or not self.balance:
            return outputs
        shares = gates.flatten(0, 1)
        return Answers(outputs, penalty=self.balance * load_balance(shares))
