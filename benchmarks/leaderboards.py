"""Test every model of the leaderboards against the linear one, and against the best on a single modality.

    python experiments/run.py experiment=meld data=../shared/data   # and meld_feats, ravdess, mosi
    python benchmarks/leaderboards.py --output featmer-output
    python benchmarks/leaderboards.py --markdown   # scores and intervals of all corpora in one table, as the README has

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


def markdown(boards: dict[str, pd.DataFrame]) -> str:
    """Return all boards as one table: a row a model, a column a board, by the first board with most models."""
    order = max(boards.values(), key=len).index
    names = [*order, *dict.fromkeys(name for board in boards.values() for name in board.index if name not in order)]
    lines = [["", *boards], ["---"] * (len(boards) + 1)]
    for name in names:
        lines.append([name, *(_cell(board, name) for board in boards.values())])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(board: pd.DataFrame, name: str) -> str:
    if name not in board.index:
        return "-"
    mean, low, high = (f"{value:.3f}".replace("0.", ".", 1) for value in board.loc[name, ["mean", "low", "high"]])
    return f"{mean} ({low} to {high})"


def main() -> None:
    """Print a table a corpus, or one of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("featmer-output"))
    parser.add_argument("--markdown", action="store_true", help="one table of scores and intervals")
    arguments = parser.parse_args()
    boards = {}
    for comparison in load_results(arguments.output / "results"):
        name = f"{comparison.name}, {comparison.results['metric'].iloc[0]}"
        boards[name] = tested(comparison.results, comparison.predictions)
        if not arguments.markdown:
            print(f"\n{name}\n{boards[name].round(3).to_string()}", flush=True)
    if arguments.markdown:
        print(markdown(boards))


if __name__ == "__main__":
    main()
