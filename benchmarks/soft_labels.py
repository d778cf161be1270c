"""Learn the votes on EmotionLines' dialogues of Friends as distributions, with penalties, or their majority alone.

    python benchmarks/soft_labels.py --data ../shared/data/EmotionLines_Friends_votes

Every utterance has five votes; its text is embedded once (all-MiniLM-L6-v2) and kept in the cache. The same fusion
model is trained, on the official parts and with five seeds,

- on the majority: the rows of which more than half of the votes agree, by cross-entropy;
- on all votes, by cross-entropy with their shares;
- with the penalisation matrix on top, 0.2, 0.5 and 0.8 of it;
- by five raters' heads beside the consensus, of half its weight or all of it;

all but the last also with class weights by effective numbers. For each metric the variant is taken that scores best by
it on the validation part, and is scored on all test rows and on those with a majority. The p-values are of whole
dialogues resampled, two-sided, against the majority's model, Holm-corrected for each metric. Who voted is not in the
data: the five votes of a row are dealt to the five heads at random, so that these stand for nobody and only their joint
training is compared; ``tests/test_soft_objectives.py`` has raters who differ, made up.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from featmer import FusionClassifier, SentenceEmbedding, evaluate, extract
from featmer.baselines import LinearClassifier
from featmer.corpora import load_emotionlines
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.outcomes import Outcomes
from featmer.evaluation.stats import holm, paired_bootstrap
from featmer.labels import aggregate_votes
from featmer.objectives import CrossEntropy, RaterHeads, SoftCrossEntropy

SOFT_METRICS = ("kld", "jsd", "soft_f1_macro", "soft_f1_weighted")
HARD_METRICS = ("f1_weighted", "f1_macro")
PENALTIES = (0.2, 0.5, 0.8)
WEIGHTS = (None, "effective")
RATER_WEIGHTS = (0.5, 1.0)
WAYS = ("majority", "soft", "penalised", "raters")
N_VOTES = 5


class Majority(ClassifierMixin, BaseEstimator):
    """Learn the rows of which more than half of the votes agree, and no others."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: pd.DataFrame, validation: Any = None) -> Self:
        """Train on a table and the shares of its votes."""
        self.classes_ = np.array(y.columns)
        further = {} if validation is None else {"validation": self._learnt(*validation)}
        self.model_ = self.estimator.fit(*self._learnt(X, y), **further)
        return self

    def _learnt(self, X: Any, y: pd.DataFrame) -> tuple[Any, Any]:
        """Return what the estimator is to see of a table and the shares of its votes."""
        targets = aggregate_votes(y.to_numpy(), rule="majority", form="hard", labels=y.columns)
        return X[np.flatnonzero(targets.kept)], targets.values.to_numpy()

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each label of the votes."""
        given = pd.DataFrame(self.model_.predict_proba(X), columns=self.model_.classes_)
        return given.reindex(columns=self.classes_, fill_value=0.0).to_numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Dealt(Majority):
    """Learn what five raters said, to whom the votes of each row are dealt at random."""

    def _learnt(self, X: Any, y: pd.DataFrame) -> tuple[Any, Any]:
        return X, _deal(y)


def _deal(shares: pd.DataFrame) -> pd.DataFrame:
    """Return a column a rater of labels."""
    votes = np.rint(shares.to_numpy() * N_VOTES).astype(int)
    said = np.repeat(np.tile(np.arange(shares.shape[1]), len(shares)), votes.ravel()).reshape(-1, N_VOTES)
    return pd.DataFrame(np.array(shares.columns)[np.random.default_rng(0).permuted(said, axis=1)])


def variants() -> dict[str, dict[str, Any]]:
    """Return the models of each way to train, by what is varied."""

    def fusion(objective: Any) -> FusionClassifier:
        return FusionClassifier(objective=objective, epochs=30, patience=4, batch_size=256, device="cpu")

    def soft(**options: Any) -> FusionClassifier:
        return fusion(SoftCrossEntropy(**options))

    return {
        "majority": {f"{w}": Majority(fusion(CrossEntropy(class_weight=w))) for w in WEIGHTS},
        "soft": {f"{w}": soft(class_weight=w) for w in WEIGHTS},
        "penalised": {f"{p}, {w}": soft(penalty=p, class_weight=w) for p in PENALTIES for w in WEIGHTS},
        "raters": {f"{w}": Dealt(fusion(RaterHeads(rater_weight=w))) for w in RATER_WEIGHTS},
    }


def hardened(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a majority, as targets and predictions of one label."""
    true, said = (predictions.filter(regex=rf"^{kind}\.") for kind in "tp")
    kept = (true.max(axis=1) > 0.5).to_numpy()
    place = predictions[["model", "part", "seed", "fold", "dialogue", "turn", "row"]]
    names = {"target": true.idxmax(axis=1).str[2:], "prediction": said.idxmax(axis=1).str[2:]}
    return place.assign(**names)[kept]


def compare(predictions: pd.DataFrame, metrics: tuple[str, ...], n_resamples: int) -> pd.DataFrame:
    """Return, for each way to train, its variant that is best on the validation part, its test score, and its p."""
    rows = {key: frame for key, frame in predictions.groupby(["part", "model"])}
    table = pd.DataFrame(index=list(WAYS))
    for metric in metrics:
        sign = 1 if find_metric(metric).higher_is_better else -1
        seen = pd.Series(
            {model: sign * _mean_score(metric, frame) for (part, model), frame in rows.items() if part == "valid"}
        )
        chosen = {way: str(seen[seen.index.str.startswith(f"{way}: ")].idxmax()) for way in WAYS}
        first, *others = (rows["test", chosen[way]] for way in WAYS)
        found = [paired_bootstrap(metric, other, first, n_resamples=n_resamples) for other in others]
        table[metric] = _mean_score(metric, first) + np.array([0.0, *(each.difference for each in found)])
        table[f"p {metric}"] = [np.nan, *holm([each.pvalue for each in found])]
        table[f"variant {metric}"] = [chosen[way].split(": ")[1] for way in WAYS]
    return table


def _mean_score(metric: str, rows: pd.DataFrame) -> float:
    return float(np.mean([find_metric(metric).score(Outcomes.of_frame(run)) for _, run in rows.groupby("seed")]))


def main() -> None:
    """Print what was chosen and two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("featmer-output/cache"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=2000)
    arguments = parser.parse_args()
    table, _ = extract(load_emotionlines(arguments.data), [SentenceEmbedding()], cache=arguments.cache)
    models = {f"{way}: {name}": model for way, each in variants().items() for name, model in each.items()}
    options: dict[str, Any] = {"target": "votes.", "splitter": "official", "n_bootstrap": 0, "return_predictions": True}
    options["cache"] = arguments.cache / "runs"
    results, predictions = evaluate(models, table, seeds=range(arguments.seeds), metrics=SOFT_METRICS, **options)
    linear = {"linear majority": Majority(LinearClassifier()), "linear soft": LinearClassifier()}
    beside = evaluate(linear, table, seeds=[0], metrics=SOFT_METRICS, **options)[0]
    print("\nvariants, mean over seeds\n", _means(pd.concat([results, beside])).round(4).to_string())
    agreed = predictions[predictions.filter(regex=r"^t\.").max(axis=1) > 0.5]
    for title, rows, metrics in (
        ("all test rows", predictions, SOFT_METRICS),
        ("test rows with a majority, by their votes", agreed, SOFT_METRICS),
        ("test rows with a majority, by their label", hardened(predictions), HARD_METRICS),
    ):
        ours = rows[rows["model"].isin(models)]
        print(f"\n{title}\n{compare(ours, metrics, arguments.resamples).round(4).T.to_string()}")


def _means(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row a model, a column a part and metric."""
    return results.pivot_table(index="model", columns=["part", "metric"], values="value", aggfunc="mean", sort=False)


if __name__ == "__main__":
    main()
