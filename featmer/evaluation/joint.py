"""Several targets of the same rows, as one model that learns all of them is given them and answers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import get_tags

from featmer.evaluation.targets import Said, Target

_OF = "/"  # between a target's name and what is said of it, in a frame of all


@dataclass(frozen=True)
class JointTarget:
    """Several targets; a row need not have all of them.

    Parameters
    ----------
    each : dict of str to Target
        By name, as `Target.of` takes it: "emotion", or "labels." of columns that begin so.

    Examples
    --------
    >>> segments = pd.DataFrame({"emotion": ["joy", None, None], "valence": [0.5, -0.5, None]})
    >>> joint = JointTarget({name: Target.of(segments, name) for name in segments})
    >>> joint.known.tolist(), joint.take([0, 1])["valence"].tolist()
    ([True, True, False], [0.5, -0.5])
    """

    each: Mapping[str, Target]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Rows that have a target or more."""
        return np.any([target.known for target in self.each.values()], axis=0)

    @property
    def values(self) -> pd.DataFrame:
        """A column a target, or a column a label of it, with gaps."""
        return self.take(np.arange(len(self.known)))

    def take(self, rows: Any) -> pd.DataFrame:
        """Return the targets of the given rows with their gaps, as `MultitaskFusion.fit` takes them."""
        return pd.concat([_with_gaps(name, target, rows) for name, target in self.each.items()], axis=1)

    def ask(self, model: Any, table: Any, rows: NDArray[np.int64]) -> pd.DataFrame:
        """Put what a model says of some rows beside what is true of each target.

        Parameters
        ----------
        model : estimator
            Fitted; ``predict`` returns a DataFrame with the columns that were learnt, ``predict_proba`` a mapping by
            what these columns have before a dot, as its ``classes_`` is.
        table : FeatureTable of n_asked rows
            Their features.
        rows : ndarray of int of shape (n_asked,)
            Which rows they are.

        Returns
        -------
        DataFrame of n_asked rows
            Columns ``<name>/target``, ``<name>/prediction`` and so on, see `part`.
        """
        decided = model.predict(table)
        given = model.predict_proba(table) if hasattr(model, "predict_proba") else {}
        classes = getattr(model, "classes_", {})
        frames = []
        for name, target in self.each.items():
            task = name.partition(".")[0]
            own = None if target.kind == "distributions" else decided[_columns(name, target)]
            said = Said(type(model).__name__, own, given.get(task), classes.get(task))
            frames.append(target.beside(rows, said).add_prefix(name + _OF))
        return pd.concat(frames, axis=1)

    def part(self, name: str, predictions: pd.DataFrame) -> pd.DataFrame:
        """Return the answers about one target, of the rows that have it, as `Target.ask` names them."""
        if predictions.empty:
            return predictions
        others = tuple(other + _OF for other in self.each if other != name)
        own = predictions.loc[:, [not column.startswith(others) for column in predictions.columns]]
        own = own.rename(columns=lambda column: column.removeprefix(name + _OF))
        return own[self.each[name].known[own["row"]]].reset_index(drop=True)


def learns_several(model: Any) -> bool:
    """Tell whether a model takes several targets of different kinds at once, as `featmer.MultitaskFusion` does.

    By its tags: it is neither a classifier nor a regressor, and has several outputs.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> learns_several(RandomForestClassifier())
    False
    """
    if isinstance(model, Mapping) or not hasattr(model, "__sklearn_tags__"):
        return False
    tags = get_tags(model)
    return bool(tags.estimator_type is None and tags.target_tags.multi_output)


def _columns(name: str, target: Target) -> str | list[str]:
    return [name + label for label in target.labels] if isinstance(target.values, pd.DataFrame) else name


def _with_gaps(name: str, target: Target, rows: Any) -> pd.DataFrame:
    taken, unknown = target.take(rows), ~target.known[rows]
    if isinstance(taken, pd.DataFrame):
        frame = taken.astype(float).add_prefix(name)
    else:  # whole numbers are labels here, and are to look like it
        frame = pd.DataFrame({name: taken if target.kind == "values" else taken.astype(str).astype(object)})
    frame[unknown] = np.nan if target.kind == "values" else None
    return frame
