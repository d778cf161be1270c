"""Time an epoch of the recurrent head against a plain torch loop over the same LSTM, on a table as large as MELD.

    python benchmarks/recurrent.py --epochs 3

The plain loop is what a careful user writes: a dialogue an item, a DataLoader that pads, packed sequences, the same
layers, batches of as many dialogues, AdamW, clipping. Both train on one thread, in turns, in one run.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

from featmer import Block, FeatureTable, FusionClassifier
from featmer.nn import Head, Recurrent

WIDTHS = {"text": 768, "audio": 88, "face": 60}
N_ROWS, N_DIALOGUES, N_CLASSES, HIDDEN, BATCH = 9989, 1038, 7, 128, 128


def make_table(seed: int = 0) -> tuple[FeatureTable, np.ndarray]:
    """Return noise of the size of MELD's training part, and labels."""
    rng = np.random.default_rng(seed)
    lengths = rng.multinomial(N_ROWS - N_DIALOGUES, rng.dirichlet(np.full(N_DIALOGUES, 3.0))) + 1
    dialogue = np.repeat(np.arange(N_DIALOGUES), lengths)
    turn = np.concatenate([np.arange(length) for length in lengths])
    segments = pd.DataFrame({"dialogue": dialogue, "turn": turn, "speaker": rng.choice(list("abcd"), N_ROWS)})
    blocks = {
        name: Block(rng.standard_normal((N_ROWS, width), np.float32), [f"{name}.{i}" for i in range(width)])
        for name, width in WIDTHS.items()
    }
    return FeatureTable(segments, blocks), rng.integers(0, N_CLASSES, N_ROWS)


class PlainModel(nn.Module):
    """The layers of the recurrent head, written down plainly."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Dropout(0.3), nn.Linear(width, HIDDEN), nn.LayerNorm(HIDDEN), nn.GELU(), nn.Dropout(0.3)
                )
                for name, width in WIDTHS.items()
            }
        )
        self.mix = nn.Sequential(nn.Linear(3 * HIDDEN, HIDDEN), nn.GELU(), nn.Dropout(0.3))
        self.memory = nn.LSTM(HIDDEN, HIDDEN // 2, batch_first=True, bidirectional=True)
        self.output = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * HIDDEN, N_CLASSES))

    def forward(self, features: dict[str, torch.Tensor], lengths: torch.Tensor) -> torch.Tensor:
        """Map padded dialogues to logits of every turn."""
        turns = self.mix(torch.cat([encode(features[name]) for name, encode in self.encoders.items()], dim=-1))
        packed = pack_padded_sequence(turns, lengths, batch_first=True, enforce_sorted=False)
        said, _ = pad_packed_sequence(self.memory(packed)[0], batch_first=True)
        return self.output(torch.cat([turns, said], dim=-1))


def pad(dialogues: list[tuple[dict[str, torch.Tensor], torch.Tensor]]) -> tuple[dict[str, torch.Tensor], ...]:
    """Make a padded batch of dialogues."""
    features = {name: pad_sequence([each[name] for each, _ in dialogues], batch_first=True) for name in WIDTHS}
    targets = pad_sequence([labels for _, labels in dialogues], batch_first=True, padding_value=-100)
    return features, targets, torch.tensor([len(labels) for _, labels in dialogues])


def plain_epochs(
    table: FeatureTable, labels: np.ndarray, epochs: int, device: str = "cpu", batch_size: int = BATCH
) -> float:
    """Return the seconds an epoch of the plain loop takes."""
    scaled = {name: torch.tensor(block.values) for name, block in table.blocks.items()}
    ends = np.flatnonzero(np.diff(table.segments["dialogue"], append=-1)) + 1
    items = [
        ({name: values[start:end] for name, values in scaled.items()}, torch.tensor(labels[start:end]))
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    loader = DataLoader(items, round(batch_size * N_DIALOGUES / N_ROWS), shuffle=True, collate_fn=pad)
    model = PlainModel().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    for _ in range(epochs):
        for features, targets, lengths in loader:
            logits = model({name: values.to(device) for name, values in features.items()}, lengths)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.to(device).flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    return (time.perf_counter() - start) / epochs


def fitted(head: Head, table: FeatureTable, labels: np.ndarray, epochs: int, **given: Any) -> FusionClassifier:
    """Return a head after some epochs on all rows; the estimator tells their seconds."""
    given = {"device": "cpu", "batch_size": BATCH, "validation_share": 0, "random_state": 0, **given}
    model = FusionClassifier(head, epochs=epochs, **given)
    return model.fit(table, labels)


def main() -> None:
    """Time both in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table, labels = make_table()
    plain, ours = [], []
    for _ in range(arguments.turns):
        plain.append(plain_epochs(table, labels, arguments.epochs))
        ours.append(fitted(Recurrent(hidden=HIDDEN), table, labels, arguments.epochs).seconds_per_epoch_)
    print(f"plain loop {min(plain):.2f} s an epoch, featmer {min(ours):.2f} s: ratio {min(ours) / min(plain):.2f}")


if __name__ == "__main__":
    main()
