"""Test every model of the leaderboards against the linear one, and against the best on a single modality.

    python experiments/run.py experiment=meld data=../shared/data   # and meld_feats, ravdess, mosi
    python benchmarks/leaderboards.py --output featmer-output

Prints a table for each corpus: mean test score with its 95 % interval, mean on the validation part, two p-values
(swapped answers of whole dialogues or speakers, two-sided, Holm-corrected), seconds a fit, parameters. The best single
modality is the one that scores best in the test itself, which is the hardest to beat.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from featmer import leaderboard
from featmer.report import load_results

SINGLE = ("_text", "_audio", "_face")
SHOWN = ["mean", "low", "high", "valid", "p linear", "p single", "fit_seconds", "parameters", "n_runs"]


def tested(results: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the leaderboard with both p-values, a row a model."""
    board = leaderboard(results, predictions, against="linear").set_index("model")
    board["p linear"] = board["p"]
    single = [name for name in board.index if name.endswith(SINGLE)]
    if single:
        against = leaderboard(results, predictions, against=single[0]).set_index("model")
        board["p single"] = against["p"]
    return board.reindex(columns=SHOWN)


def main() -> None:
    """Print a table a corpus."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("featmer-output"))
    output = parser.parse_args().output
    for comparison in load_results([output / "results"]):
        board = tested(comparison.results, comparison.predictions)
        print(f"\n{comparison.name}, {comparison.results['metric'].iloc[0]}\n{board.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main()
