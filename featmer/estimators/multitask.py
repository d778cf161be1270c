"""Several named targets with gaps from several modalities: categories, dimensions and labels in one model."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.metaestimators import available_if
from torch import nn

from featmer._checks import check_name
from featmer._deciding import check_thresholds
from featmer._parts import make_part
from featmer._tasks import PLAIN, Task, form_of, read_answers, read_further, read_tasks
from featmer.estimators.deciding import choose_thresholds, decide, decide_sets, in_form
from featmer.estimators.fusion import Curriculum, FusionEstimator, Stages, fitting_objective
from featmer.nn import Head, Standardise
from featmer.objectives import OBJECTIVES, Distillation, LabelGraph, Objective, SeveralObjectives
from featmer.pretraining import Pretraining
from featmer.table import FeatureTable
from featmer.training import Best

Targets = pd.DataFrame | Mapping[str, Any] | ArrayLike

_DEFAULTS = {"labels": "cross_entropy", "indicators": "multilabel", "distributions": "soft", "values": "mse"}
_BEST_EPOCHS = ("shared", "by_task")


def _has_labels(model: MultitaskFusion) -> bool:
    """Tell whether there is anything to give probabilities of."""
    if hasattr(model, "tasks_") and not model.classes_:
        raise AttributeError("All targets are numbers, which have no probabilities: use predict.")
    return True


class MultitaskFusion(FusionEstimator):
    """Learn several named targets at once, of rows that need not have all of them.

    A row supervises only what it has, so that tables of corpora with different kinds of labels can be put one below
    another (:meth:`FeatureTable.concat`) and learnt by one model.

    Parameters
    ----------
    objective : str, LabelGraph, mapping of str to (str or Objective), or None, default=None
        What is optimised, by the name of the target: names in ``featmer.objectives.OBJECTIVES`` or objects. What is not
        named, and all with None, goes by the kind of target: "cross_entropy", "multilabel", "soft" or "mse". The name
        also tells what a target is that could be several things: whole numbers are numbers, unless they have
        "cross_entropy". "label_graph", or a `LabelGraph`, learns all targets by outputs that come from one graph
        of all labels and dimensions, numbers by "ccc".
    weights : mapping of str to float, default=None
        Weight of a target's loss; 1 where it is not named.
    distillation : Distillation, default=None
        How the model follows the ``teachers`` of ``fit``; None is ``Distillation()``.
    best_epoch : {"shared", "by_task"}, default="shared"
        Which epoch's weights are kept: those where the sum of the losses on the validation rows is lowest, or for each
        target those of its own lowest loss, which is as many models to keep and to ask as there are targets.
    thresholds : {"all", "class"} or float, default="all"
        Above which probability a label is given where there is any number of labels a row; see
        :class:`FusionClassifier`.
    patience : int, default=10
        Epochs without a better validation loss, with ``best_epoch="by_task"`` of any target, before training stops.
    curriculum : object or None, default=None
        Has a method ``rows(segments, y, epoch)`` that returns a mask over the training rows; y is a matrix, target
        after target: class numbers or the target's columns, NaN at gaps.
    head, pretraining, modalities, lr, weight_decay, epochs, batch_size, validation_share, accumulate, half
        As of :class:`FusionClassifier`.
    compile, stages, warm_start, checkpoint, random_state, device, verbose
        As of :class:`FusionClassifier`.

    Attributes
    ----------
    tasks_ : tuple of Task
        The targets: ``name``, ``kind`` ("labels", "indicators", "distributions" or "values") and ``classes``.
    classes_ : dict of str to ndarray
        Labels of each target that has some; of a matrix the names of its columns.
    modalities_ : dict of str to tuple of str
        Modalities seen in fit and the names of their features.
    thresholds_ : dict of str to ndarray of shape (n_labels,)
        The threshold of each label, by target; of those whose y was an indicator matrix.
    history_ : list of dict
        An entry an epoch: ``epoch, lr, loss, validation_loss`` and, for each target that has some validation rows,
        ``validation_loss.valence`` and the like.
    marginal_ : ndarray or None
        Mean answer to the training rows. Rows of which nothing is known get it, of heads with context those in
        dialogues of which nothing is known; unless the model was trained on such rows (None), it knows no better.
    n_parameters_ : int
        Trained numbers in the head, in the label graph, and in the encoders of its pre-training.
    pretraining_ : Pretraining or None
        The fitted pre-training.
    module_ : torch.nn.Module
        Scaling and head.

    References
    ----------
    Kang, Herremans: Towards unified music emotion recognition across dimensional and categorical models.
    arXiv 2502.03979, 2025.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> y = pd.DataFrame({"emotion": np.where(X[:, 0] > 0, "joy", "fear"), "valence": 3 * X[:, 0] + 5})
    >>> y.loc[:19, "emotion"], y.loc[40:, "valence"] = None, np.nan
    >>> model = MultitaskFusion(epochs=50, lr=0.01, random_state=0).fit(X, y)
    >>> predicted = model.predict([[-0.9], [0.9]])
    >>> predicted["emotion"].tolist(), float(predicted["valence"].diff().iloc[1]) > 4
    (['fear', 'joy'], True)
    """

    target_ = "several"
    tasks_: tuple[Task, ...]

    def __init__(
        self,
        head: str | Head = "concat",
        *,
        objective: str | LabelGraph | Mapping[str, str | Objective] | None = None,
        weights: Mapping[str, float] | None = None,
        distillation: Distillation | None = None,
        best_epoch: str = "shared",
        thresholds: str | float = "all",
        pretraining: str | Pretraining | None = None,
        modalities: Iterable[str] | None = None,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        epochs: int = 100,
        batch_size: int = 128,
        patience: int = 10,
        validation_share: float = 0.15,
        accumulate: int = 1,
        half: bool | None = None,
        compile: bool = False,
        stages: Stages = None,
        warm_start: bool = False,
        curriculum: Curriculum | None = None,
        checkpoint: str | Path | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            head,
            objective=objective,
            pretraining=pretraining,
            modalities=modalities,
            lr=lr,
            weight_decay=weight_decay,
            epochs=epochs,
            batch_size=batch_size,
            patience=patience,
            validation_share=validation_share,
            accumulate=accumulate,
            half=half,
            compile=compile,
            stages=stages,
            warm_start=warm_start,
            curriculum=curriculum,
            checkpoint=checkpoint,
            random_state=random_state,
            device=device,
            verbose=verbose,
        )
        self.weights = weights
        self.distillation = distillation
        self.best_epoch = best_epoch
        self.thresholds = thresholds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self,
        X: FeatureTable | ArrayLike,
        y: Targets,
        validation: tuple[FeatureTable | ArrayLike, Targets] | None = None,
        teachers: Mapping[str, Any] | None = None,
    ) -> Self:
        """Train on a table or a plain array.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Training rows; a plain array's rows are dialogues of one turn.
        y : DataFrame or mapping of str to array-like
            A target a column or key: labels, numbers, and matrices of 0 and 1, of shares that sum to 1 or of numbers.
            A DataFrame's columns with the same word before a dot are one matrix: "labels.joy", "labels.fear".
            A row that lacks a target has None or NaN there, in all columns of a matrix.
            A plain array is a single target.
        validation : tuple of (X, y), default=None
            Rows to stop early on, never trained on; None holds dialogues of X out.
        teachers : mapping of str to (estimator, DataFrame or array-like), default=None
            For some targets a fitted estimator, which is asked about X, or what one says about the rows of X:
            probabilities or numbers, a column a class in the order of ``classes_``, or by the DataFrame's names;
            NaN where it says nothing. Rows without the target itself learn from the teacher alone.

        Returns
        -------
        MultitaskFusion
            Itself.

        Raises
        ------
        ValueError
            If rows and targets, or targets and objectives, do not fit together, or a name is unknown.
        TrainingError
            If the loss is no longer a number, or no validation row has a target.
        """
        check_name(self.best_epoch, _BEST_EPOCHS, "best epoch")
        check_thresholds(self.thresholds)
        table = self._check_table(X, reset=not self._goes_on)
        if self._goes_on:
            targets = read_further(y, len(table), self.tasks_, "rows to go on with")
        else:
            self.tasks_, targets = read_tasks(y, len(table), self._kinds())
            self.form_ = form_of(y)
            self._make_objective()
        answers = read_answers(teachers or {}, X, len(table), self.tasks_)
        n_outputs = sum(len(task.classes) for task in self.tasks_)
        if validation is None:
            return self._fit(table, np.hstack([targets, answers]), n_outputs, None)
        watched = self._check_table(validation[0], reset=False)
        wanted = read_further(validation[1], len(watched), self.tasks_, "validation rows")
        unasked = np.full((len(watched), answers.shape[1]), np.nan)
        return self._fit(table, np.hstack([targets, answers]), n_outputs, (watched, np.hstack([wanted, unasked])))

    @property
    def classes_(self) -> dict[str, NDArray[Any]]:
        """Labels by target."""
        return {task.name: task.classes for task in self.tasks_ if task.kind != "values"}

    def predict(self, X: FeatureTable | ArrayLike) -> Any:
        """Return every target of each row.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; give whole dialogues to heads that look at the context.

        Returns
        -------
        DataFrame, dict of str to ndarray, or ndarray
            As y was in fit: labels, the likeliest ones of distributions, matrices of 0 and 1, and numbers.
        """
        answers = self._by_task(self._decoded(self._seen(X)))
        return in_form(self.form_, self.tasks_, decide(self.tasks_, answers, self.thresholds_))

    @available_if(_has_labels)
    def predict_proba(self, X: FeatureTable | ArrayLike) -> Any:
        """Return the probabilities of the labels of each target that has some; there must be one.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows; give whole dialogues to heads that look at the context.

        Returns
        -------
        dict of str to ndarray of shape (n_rows, n_classes)
            By target; columns in the order of ``classes_``. Rows sum to 1 unless there is any number of labels a row.
            Where y was a plain array, its own.
        """
        answers = self._by_task(self._decoded(self._seen(X)))
        return answers[PLAIN] if self.form_ == "plain" else {name: answers[name] for name in self.classes_}

    @available_if(_has_labels)
    def predict_set(self, X: FeatureTable | ArrayLike) -> Any:
        """Return the labels of each target that has some, as sets; there must be one.

        Parameters
        ----------
        X : FeatureTable or array-like of shape (n_rows, n_features)
            Rows.

        Returns
        -------
        dict of str to list of set of n_rows sets
            By target: the labels above their thresholds, perhaps none; of distributions, those with more than an equal
            share; else the likeliest. Where y was a plain array, its own.
        """
        answers = self._by_task(self._decoded(self._seen(X)))
        sets = decide_sets(self.tasks_, answers, self.thresholds_)
        return sets[PLAIN] if self.form_ == "plain" else sets

    def _meanings(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return probabilities and numbers, those of each target by the weights that were kept for it."""
        if not len(self.copies_):
            return super()._meanings(table)
        parts, end = [], 0
        for task, kept in zip(self.tasks_, self.copies_, strict=True):
            own = cast(nn.ModuleDict, kept)
            decoded = self._decode(self._outputs(table, own["module"]), cast(Objective, own["objective"]))
            end += len(task.classes)
            parts.append(decoded[:, end - len(task.classes) : end])
        return np.hstack(parts)

    def _by_task(self, answers: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Return the columns of each target."""
        ends = np.cumsum([len(task.classes) for task in self.tasks_])
        return dict(zip([task.name for task in self.tasks_], np.split(answers, ends[:-1], axis=1), strict=True))

    def _decide(self, table: FeatureTable, targets: NDArray[Any]) -> None:
        tagged = any(task.kind == "indicators" for task in self.tasks_)
        answers = self._by_task(self._decoded(table)) if tagged and len(table) else None
        self.thresholds_ = choose_thresholds(self.thresholds, self.tasks_, targets, answers)

    def _best(self, head: Head) -> Best:
        names = [task.name for task in self.tasks_] if len(self.copies_) else []
        return Best(head, self.objective_, each=names)

    def _keep(self, best: Best) -> None:
        for task, own in zip(self.tasks_, cast(Iterable[nn.ModuleDict], self.copies_), strict=False):
            own.load_state_dict(self._trained().state_dict())
            if task.name in best.states:
                head, objective = best.states[task.name]
                cast(nn.Sequential, own["module"])[1].load_state_dict(head)
                own["objective"].load_state_dict(objective)

    def _build(self) -> Standardise:
        scaling = super()._build()
        n_copies = len(self.tasks_) if self.best_epoch == "by_task" else 0
        self.copies_ = nn.ModuleList(copy.deepcopy(self._trained()) for _ in range(n_copies))
        return scaling

    def _trained(self) -> nn.ModuleDict:
        return nn.ModuleDict({"module": self.module_, "objective": self.objective_})

    def _kinds(self) -> dict[str, str]:
        """Return what the objectives take their targets for; those that stand for several leave it to the target."""
        if not isinstance(self.objective, Mapping):
            return {}
        made = {name: make_part(given, OBJECTIVES, Objective) for name, given in self.objective.items()}
        return {name: objective.target for name, objective in made.items()}

    def _make_objective(self) -> SeveralObjectives:
        """Return the objectives of all targets, side by side."""
        graph = None
        if self.objective is not None and not isinstance(self.objective, Mapping):
            graph = make_part(self.objective, OBJECTIVES, Objective)
            if not isinstance(graph, LabelGraph):
                raise ValueError(
                    f"objective={self.objective!r} is for a single target; name the targets that it is for, such as "
                    f"{{'valence': 'ccc'}}, or give 'label_graph'."
                )
        named = self.objective if isinstance(self.objective, Mapping) else {}
        defaults = _DEFAULTS if graph is None else {**_DEFAULTS, "values": "ccc"}
        made = {task.name: _fitting(task, named.get(task.name, defaults[task.kind])) for task in self.tasks_}
        for name in self.weights or {}:
            check_name(name, made, "target to weigh")
        sizes = {task.name: len(task.classes) for task in self.tasks_}
        return SeveralObjectives(
            made, sizes, weights=self.weights, graph=graph, distillation=self.distillation or Distillation()
        )

    def _params_to_keep(self) -> dict[str, Any]:
        """Return the parameters as JSON can hold them; a distillation has done its work and is not kept."""
        return super()._params_to_keep() | {"distillation": None}

    def _modules(self) -> nn.ModuleDict:
        modules = super()._modules()
        modules["copies"] = self.copies_
        return modules

    def _fitted(self) -> dict[str, Any]:
        tasks = [[task.name, task.kind, task.classes, task.classes.dtype.str] for task in self.tasks_]
        return {**super()._fitted(), "tasks": tasks, "form": self.form_, "thresholds": self.thresholds_}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self.tasks_ = tuple(Task(name, kind, np.array(own, dtype)) for name, kind, own, dtype in fitted["tasks"])
        self.form_ = fitted["form"]
        self.thresholds_ = {name: np.array(own) for name, own in fitted["thresholds"].items()}


def _fitting(task: Task, given: str | Objective) -> Objective:
    """Return the objective of a task."""
    try:
        return fitting_objective(given, task.kind)
    except ValueError as error:
        raise ValueError(f"The target {task.name!r}: {error}") from error
