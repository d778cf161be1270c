"""What is to be predicted: a column of labels or values, or columns that say which labels hold, or count votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.evaluation.outcomes import DECIDED, PROBABILITY, TRUE, as_labels, is_values
from featmer.labels import aggregate_votes
from featmer.labels.votes import VOTES

LABELS = "labels."
PREFIXES = {LABELS: "indicators", VOTES: "distributions"}


class Said(NamedTuple):
    """What a model answered about some rows.

    Parameters
    ----------
    by : str
        Which kind of model.
    prediction : array-like of shape (n_rows,) or (n_rows, n_labels)
        What it decided.
    probabilities : array-like of shape (n_rows, n_classes), list of these or None
        Where it gives any.
    classes : array-like of shape (n_classes,) or None
        What they are probabilities of.

    Examples
    --------
    >>> Said("MultitaskFusion", ["joy"], [[0.2, 0.8]], ["fear", "joy"]).prediction
    ['joy']
    """

    by: str
    prediction: Any
    probabilities: Any = None
    classes: Any = None


@dataclass(frozen=True)
class Target:
    """What is wanted of every row of a table.

    Parameters
    ----------
    kind : {"labels", "values", "indicators", "distributions"}
        One label a row, one value a row, any number of labels a row, or a share for each label.
    values : ndarray of shape (n_rows,) or DataFrame of shape (n_rows, n_labels)
        Labels (strings or whole numbers) or values (floats); or a column a label.
    known : ndarray of bool of shape (n_rows,)
        Rows that have a target; the values of others mean nothing.

    Examples
    --------
    >>> target = Target.of(pd.DataFrame({"votes.joy": [2, 0], "votes.fear": [2, 0]}), "votes.")
    >>> target.kind, target.labels, target.known.tolist(), target.take([0]).values.tolist()
    ('distributions', ['joy', 'fear'], [True, False], [[0.5, 0.5]])
    """

    kind: str
    values: NDArray[Any] | pd.DataFrame
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, segments: pd.DataFrame, name: str) -> Target:
        """Read a target out of segments.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            The rows with all their columns.
        name : str
            A column: floats are values, all else labels. Or the beginning of several: "labels." of columns of 0 and 1
            that say which labels hold, "votes." of numbers of votes, whose shares are the target.

        Raises
        ------
        ValueError
            If there is no such column, or its content is not of its kind.
        """
        if name not in PREFIXES:
            check_name(name, segments.columns, "target")
            column = segments[name]
            kind = "values" if is_values(column) else "labels"
            return cls(kind, _plain(column), column.notna().to_numpy(bool))
        columns = [column for column in segments if str(column).startswith(name)]
        if not columns:
            raise ValueError(
                f"Target {name!r} means columns {name}<label>, but the segments have only {list(segments)}."
            )
        read = _read_votes if name == VOTES else _read_indicators
        values, known = read(segments[columns].reset_index(drop=True))
        return cls(PREFIXES[name], values, known)

    @property
    def labels(self) -> list[str]:
        """The labels that occur, sorted; of a matrix those of its columns, in order."""
        if isinstance(self.values, pd.DataFrame):
            return list(self.values.columns)
        return [] if self.kind == "values" else sorted(set(as_labels(self.values[self.known])))

    def take(self, rows: Any) -> NDArray[Any] | pd.DataFrame:
        """Return the target of the given rows, as a model's ``fit`` takes it."""
        if isinstance(self.values, pd.DataFrame):
            return self.values.iloc[rows].reset_index(drop=True)
        return self.values[rows]

    def strata(self) -> pd.Series:
        """Return what folds are to hold in proportion: labels or values; of several labels the rarest, or the top."""
        if not isinstance(self.values, pd.DataFrame):
            return pd.Series(self.values).where(self.known)
        if self.kind == "distributions":
            return self.values.idxmax(axis=1).where(self.known)
        rarest_first = self.values.loc[:, self.values.sum().sort_values(kind="stable").index]
        return rarest_first.idxmax(axis=1).where(rarest_first.any(axis=1), "").where(self.known)

    def ask(self, model: Any, table: Any, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Put what a model says of some rows beside what is true.

        Parameters
        ----------
        model : estimator
            Fitted.
        table : FeatureTable of n_asked rows
            Their features.
        rows : ndarray of int of shape (n_asked,)
            Which rows they are.

        Returns
        -------
        DataFrame of n_asked rows
            ``target``, ``prediction`` and, where the model gives them, ``p.<class>``. Of several labels ``t.<label>``,
            ``p.<label>`` and, where each holds or does not, what the model decided, ``d.<label>``.
        """
        decided = None if self.kind == "distributions" else model.predict(table)
        given = model.predict_proba(table) if hasattr(model, "predict_proba") else None
        return self.beside(rows, Said(type(model).__name__, decided, given, getattr(model, "classes_", None)))

    def beside(self, rows: NDArray[np.int64], said: Said) -> pd.DataFrame:
        """Return what was said of some rows beside what is true, as :meth:`ask` does."""
        if isinstance(self.values, pd.DataFrame):
            return self._beside_each(rows, said)
        answers = pd.DataFrame({"target": self.values[rows], "prediction": np.asarray(said.prediction)})
        if said.probabilities is None or said.classes is None or not len(said.classes):
            return answers
        names = [f"{PROBABILITY}{label}" for label in said.classes]
        return pd.concat([answers, pd.DataFrame(np.asarray(said.probabilities), columns=names)], axis=1)

    def _beside_each(self, rows: NDArray[np.int64], said: Said) -> pd.DataFrame:
        answers = {TRUE: np.asarray(self.take(rows))}
        if self.kind == "indicators":
            answers[DECIDED] = np.asarray(said.prediction)
        if said.probabilities is not None:
            answers[PROBABILITY] = _of_each(said.probabilities, said.classes)
        elif self.kind == "distributions":
            raise ValueError(f"{said.by} has no predict_proba, which distributions are compared with.")
        for given in answers.values():
            if given.shape != (len(rows), len(self.labels)):
                raise ValueError(
                    f"{said.by} answered in shape {given.shape} where the target has {len(rows)} rows and "
                    f"{len(self.labels)} labels; expected a column for each of {self.labels}."
                )
        frames = [
            pd.DataFrame(given, columns=[prefix + label for label in self.labels]) for prefix, given in answers.items()
        ]
        return pd.concat(frames, axis=1)


def _plain(column: pd.Series) -> NDArray[Any]:
    """Return a column of any kind, Arrow-backed ones too, as a plain array that scikit-learn takes."""
    if pd.api.types.is_float_dtype(column.dtype):
        return column.to_numpy(float)
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans:
        return column.to_numpy(np.int64)
    return np.array([str(label) if known else "" for label, known in zip(column, column.notna(), strict=True)])


def _read_votes(votes: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    shares, kept, _ = aggregate_votes(votes)
    return pd.DataFrame(shares).reindex(votes.index, fill_value=0.0), kept.to_numpy(bool)


def _read_indicators(columns: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Read columns of 0 and 1; a row with a gap has no target."""
    known = columns.notna().all(axis=1).to_numpy(bool)
    marks = columns.astype(object)
    marks[~known] = 0
    marks = marks.apply(pd.to_numeric)
    wrong = ~marks.isin((0, 1)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Columns {LABELS}<label> say by 1 or 0 whether the label holds; row {row} has "
            f"{marks.iloc[row, column]} in {columns.columns[column]!r}."
        )
    return marks.astype(np.int64).rename(columns=lambda name: str(name).removeprefix(LABELS)), known


def _of_each(probabilities: Any, classes: Any) -> NDArray[np.float64]:
    """Return a column a label; some of scikit-learn's models give a table of no and yes for each instead."""
    if not isinstance(probabilities, list):
        return np.asarray(probabilities, float)
    columns = zip(probabilities, classes, strict=True)
    return np.column_stack([np.where(np.asarray(own) == 1, given, 0.0).sum(axis=1) for given, own in columns])
