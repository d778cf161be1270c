"""What the fusion estimators share: parameters, fit, save and load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from featmer._estimator import hold_out_dialogues
from featmer._parts import make_part
from featmer._torch_estimator import TorchEstimator
from featmer.collate import TensorTable
from featmer.groups import group_codes
from featmer.nn import HEADS, Head, SelfDistilled, Standardise
from featmer.objectives import OBJECTIVES, Objective
from featmer.pretraining import PRETRAINING, Pretraining
from featmer.pretraining.guided import Guided
from featmer.table import FeatureTable
from featmer.training import Best, Checkpoint, Examples, Plan, seeded, train

_CROSS_ENTROPY = {"indicators": "multilabel", "distributions": "soft"}
_AT_A_TIME = 1000  # rows, about

Stages = Sequence[str | Sequence[str]] | None
Validation = tuple[FeatureTable | ArrayLike, ArrayLike] | None


class Curriculum(Protocol):
    """Chooses what an epoch learns from."""

    def rows(self, segments: pd.DataFrame, y: NDArray[Any], epoch: int) -> NDArray[np.bool_]:
        """Return a mask over the training rows; dialogues with a chosen row are taken whole.

        Parameters
        ----------
        segments : DataFrame of n_rows rows
            The training rows.
        y : ndarray of shape (n_rows,) or (n_rows, n_targets)
            Their labels or values.
        epoch : int
            Counted from 1.

        Returns
        -------
        ndarray of bool, shape (n_rows,)
            At least one True.
        """
        ...


class FusionEstimator(Guided, TorchEstimator):
    """Base of :class:`FusionClassifier` and its like, which document the parameters."""

    search_space: ClassVar[dict[str, list[Any]]] = {"lr": [0.0003, 0.001, 0.003], "weight_decay": [0.0, 0.01, 0.1]}
    target_: str  # what the objective has to meet, as of Objective.target
    marginal_: NDArray[np.float64] | None  # the mean answer to the training rows, where none was wholly missing
    parts = {
        "head": ({**HEADS, "self_distilled": SelfDistilled}, Head),
        "objective": (OBJECTIVES, Objective),
        "pretraining": (PRETRAINING, Pretraining),
    }

    def __init__(
        self,
        head: str | Head,
        *,
        objective: Any,
        pretraining: str | Pretraining | None,
        modalities: Iterable[str] | None,
        lr: float,
        weight_decay: float,
        epochs: int,
        batch_size: int,
        patience: int,
        validation_share: float,
        accumulate: int,
        half: bool | None,
        compile: bool,
        stages: Stages,
        warm_start: bool,
        curriculum: Curriculum | None,
        checkpoint: str | Path | None,
        random_state: int | np.random.RandomState | None,
        device: str | torch.device | None,
        verbose: int,
    ) -> None:
        self.head = head
        self.objective = objective
        self.pretraining = pretraining
        self.modalities = modalities
        self.lr = lr
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.validation_share = validation_share
        self.accumulate = accumulate
        self.half = half
        self.compile = compile
        self.stages = stages
        self.warm_start = warm_start
        self.curriculum = curriculum
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def _fit(
        self,
        table: FeatureTable,
        targets: NDArray[Any],
        n_outputs: int,
        validation: tuple[FeatureTable, NDArray[Any]] | None,
    ) -> Self:
        """Train on a table, watching the validation rows or dialogues of the table that are held out for it."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        if validation is None:
            rows, held_out = hold_out_dialogues(table, self.validation_share, seed)
            validation = (table[held_out], targets[held_out])
            table, targets = table[rows], targets[rows]
        if not self._goes_on:
            self.pretraining_ = self._pretrain(table, targets, seed)
        self.marginal_ = None
        table, watched_table = self._embedded(table), self._embedded(validation[0])
        plan = self._plan(seed)
        examples = self._examples(table, targets)
        self.sequences_, self.n_outputs_ = examples.tensors.sequences, n_outputs
        watched = self._examples(watched_table, validation[1]) if len(watched_table) else None
        before = self._modules().state_dict() if self._goes_on else None
        with seeded(seed, examples.tensors.device):
            scaling = self._build()
            if before is None:
                scaling.learn(examples.tensors.values)
                self.objective_.learn(examples.targets)
            else:
                self._take(before)
            for each in (examples, watched):
                if each is not None:  # once here, not once a batch
                    each.tensors.values = scaling.scaled(each.tensors.values)
            start = time.perf_counter()
            self.history_ = self._train(examples, watched, plan, self._curriculum(table, targets))
        self.seconds_per_epoch_ = (time.perf_counter() - start) / len(self.history_)
        if not self._unseen(table).any():
            self.marginal_ = self._mean_answer(table)
        self._decide(watched_table, validation[1])
        return self

    def _decide(self, table: FeatureTable, targets: NDArray[Any]) -> None:
        """Choose, on the validation rows as the head sees them, what turns outputs into answers; they may be none."""

    def guides(self) -> tuple[str, ...]:
        """Return the blocks that the pre-training alone learns from; see :class:`Guided`."""
        if self.pretraining is None:
            return ()
        pretraining = make_part(self.pretraining, PRETRAINING, Pretraining)
        return pretraining.guides() if isinstance(pretraining, Guided) else ()

    def _pretrain(self, table: FeatureTable, targets: NDArray[Any], seed: int) -> Pretraining | None:
        """Return the pre-training fitted on the training rows, or None; seed and device are ours where it has none."""
        if self.pretraining is None:
            return None
        pretraining = make_part(self.pretraining, PRETRAINING, Pretraining)
        ours = {"random_state": seed, "device": self.device}
        pretraining.set_params(**{name: value for name, value in ours.items() if getattr(pretraining, name) is None})
        return pretraining.fit(table, targets)

    def _embedded(self, table: FeatureTable) -> FeatureTable:
        """Return what the head is to see of a table."""
        if self.pretraining_ is None or not len(table):
            return table
        return self.pretraining_._embed(table.select(self.pretraining_.modalities_))  # without the guides

    @property
    def _goes_on(self) -> bool:
        """Whether the next fit starts from the weights of the last one."""
        return self.warm_start and hasattr(self, "module_")

    def _take(self, weights: dict[str, torch.Tensor]) -> None:
        """Start from the weights of the last fit."""
        try:
            self._modules().load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(
                f"warm_start=True goes on from the weights of the last fit, but these do not fit {self.head!r} and "
                f"{self.objective!r} as they are now; set warm_start=False to begin anew. {error}"
            ) from error

    def _train(
        self,
        examples: Examples,
        watched: Examples | None,
        plan: Plan,
        curriculum: Callable[[int], NDArray[np.bool_]] | None,
    ) -> list[dict[str, float]]:
        """Train stage by stage; return the history."""
        head, history = cast(Head, self.module_[1]), []
        for number, parts in enumerate(self.stages or ("all",), start=1):
            head.learn_only(*([parts] if isinstance(parts, str) else parts))
            checkpoint = self._checkpoint(plan, examples, watched, parts)
            best = self._best(head)
            learnt = train(
                head, self.objective_, examples, watched, plan, curriculum=curriculum, checkpoint=checkpoint, best=best
            )
            self._keep(best)
            history += [{"stage": number, **entry} if self.stages else entry for entry in learnt]
        return history

    def _best(self, head: Head) -> Best:
        """Return what is to keep the weights of the best epoch."""
        return Best(head, self.objective_)

    def _keep(self, best: Best) -> None:
        """Take from the best epochs more than the weights of the best one, which are in place."""

    def _curriculum(self, table: FeatureTable, targets: NDArray[Any]) -> Callable[[int], NDArray[np.bool_]] | None:
        """Return which rows an epoch learns from, or None for always all."""
        curriculum = self.curriculum
        if curriculum is None:
            return None
        y = self.classes_[targets] if self.target_ == "labels" else targets

        def rows(epoch: int) -> NDArray[np.bool_]:
            chosen = np.asarray(curriculum.rows(table.segments, y, epoch))
            if chosen.shape != (len(table),) or chosen.dtype != bool or not chosen.any():
                raise ValueError(
                    f"{curriculum!r} must choose rows by a mask of {len(table)} bools, at least one of them True; for "
                    f"epoch {epoch} it gave {chosen.dtype} of shape {chosen.shape}, sum {chosen.sum()}."
                )
            return chosen

        return rows

    def _checkpoint(
        self, plan: Plan, examples: Examples, watched: Examples | None, stage: str | Sequence[str]
    ) -> Checkpoint | None:
        """Return the place of this fit's unfinished state: its name tells data and settings apart."""
        if self.checkpoint is None:
            return None
        parts: list[object] = [replace(plan, progress=False), self.modalities_, self.module_, self.objective_]
        parts += [stage, *self._modules().state_dict().values()]
        if self.curriculum is not None:
            parts += [type(self.curriculum), vars(self.curriculum)]
        for each in (examples, watched):
            if each is not None:
                parts += [*each.tensors.values.values(), each.targets, each.tensors.dialogue.tolist()]
        return Checkpoint(self.checkpoint, parts)

    def _plan(self, seed: int) -> Plan:
        return Plan(
            lr=self.lr,
            weight_decay=self.weight_decay,
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            seed=seed,
            accumulate=self.accumulate,
            half=self.half,
            progress=bool(self.verbose),
        )

    def _build(self) -> Standardise:
        """Make fresh modules of the fitted sizes; return the scaling, which has yet to learn."""
        in_features = {modality: len(names) for modality, names in self.modalities_.items()}
        if self.pretraining_ is not None:
            in_features = dict.fromkeys(self.pretraining_.sources(), self.pretraining_.hidden)
        objective = self._make_objective()
        width = objective.width(self.n_outputs_)
        head = make_part(self.head, *self.parts["head"])
        if head.tokens not in (1, objective.tokens):
            raise ValueError(
                f"{head!r} gives {head.tokens} tokens a row, but {objective!r} takes {objective.tokens}; give both the "
                f"same number: Aligner(tokens=8) and ConditionalTransport(tokens=8)."
            )
        head.build(in_features, width, self.sequences_)
        scaling = Standardise(in_features)
        self.module_ = nn.Sequential(scaling, head).to(self._device())
        self.objective_ = objective.build(self.n_outputs_).to(self._device())
        if self.compile:
            head.compile(dynamic=True)
        trained = (*self.module_.parameters(), *self.objective_.parameters())
        self.n_parameters_ = sum(weights.numel() for weights in trained)
        self.n_parameters_ += 0 if self.pretraining_ is None else self.pretraining_.n_parameters_
        return scaling

    def _make_objective(self) -> Objective:
        """Return the objective, which fits the targets."""
        return fitting_objective(self.objective, self.target_)

    def _examples(self, table: FeatureTable, targets: NDArray[Any]) -> Examples:
        device = self._device()
        dtype = torch.int64 if self.target_ in ("labels", "ratings") else torch.float32
        return Examples(TensorTable(table, device), torch.tensor(targets, dtype=dtype, device=device))

    def _seen(self, X: FeatureTable | ArrayLike) -> FeatureTable:
        """Return what the fitted head is to see of X."""
        check_is_fitted(self)
        return self._embedded(self._check_table(X, reset=False))

    def _decoded(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return the answer to every row of a table as the head sees it.

        A head that has never met a row of which nothing is known says something arbitrary there: it gets the mean of
        the answers to the training rows, that is, what is missing is averaged out.
        """
        decoded = self._meanings(table)
        if self.marginal_ is not None:
            decoded[self._unseen(table)] = self.marginal_
        return decoded

    def _mean_answer(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return the mean answer to the rows, some whole dialogues at a time: a training table may be large."""
        dialogues = group_codes(table.segments)
        parts = (np.cumsum(np.bincount(dialogues)) // _AT_A_TIME)[dialogues]
        sums = [self._decoded(table[np.flatnonzero(parts == part)]).sum(0) for part in np.unique(parts)]
        return np.sum(sums, axis=0) / len(table)

    def _meanings(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return what the head's outputs mean for every row."""
        return self._decode(self._outputs(table))

    def _unseen(self, table: FeatureTable) -> NDArray[np.bool_]:
        """Tell the rows of which nothing is known, to heads that look around them not even from the dialogue."""
        known = ~np.logical_and.reduce([block.missing for block in table.blocks.values()])
        if cast(Head, self.module_[1]).context == "none":
            return ~known
        dialogues = group_codes(table.segments)
        return ~np.isin(dialogues, dialogues[known])

    def _decode(self, outputs: torch.Tensor, objective: Objective | None = None) -> NDArray[np.float64]:
        """Return what the head's outputs mean to the fitted objective, unless another is given."""
        with torch.no_grad():  # an objective may have weights of its own
            return (objective or self.objective_).to(outputs.device).decode(outputs).cpu().numpy()

    def _params_to_keep(self) -> dict[str, Any]:
        """Return the parameters as JSON can hold them; a curriculum has done its work and is not kept."""
        params = super()._params_to_keep()
        return params | {"curriculum": None, "checkpoint": self.checkpoint and str(self.checkpoint)}

    def _modules(self) -> nn.ModuleDict:
        modules = nn.ModuleDict({"module": self.module_, "objective": self.objective_})
        if self.pretraining_ is not None:
            modules["pretraining"] = self.pretraining_.module_
        return modules

    def _fitted(self) -> dict[str, Any]:
        pretraining = None if self.pretraining_ is None else self.pretraining_._fitted()
        ours = {"target": self.target_, "n_outputs": self.n_outputs_, "marginal": self.marginal_}
        return {**super()._fitted(), **ours, "pretraining": pretraining}

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        super()._restore(fitted)
        self.target_, self.n_outputs_ = fitted["target"], fitted["n_outputs"]
        self.marginal_ = None if fitted["marginal"] is None else np.array(fitted["marginal"])
        self.pretraining_ = None
        if self.pretraining is not None:
            self.pretraining_ = make_part(self.pretraining, PRETRAINING, Pretraining)
            self.pretraining_._restore(fitted["pretraining"])
            self.pretraining_._build()


def fitting_objective(given: str | Objective, kind: str) -> Objective:
    """Return an objective; cross-entropy stands for what it is on several labels or a distribution a row.

    Parameters
    ----------
    given : str or Objective
        A name in ``OBJECTIVES``, or an object, which is copied.
    kind : {"labels", "indicators", "distributions", "values"}
        What the targets are.

    Returns
    -------
    Objective
        Fresh.

    Raises
    ------
    ValueError
        If the objective is for other targets.
    """
    objective = make_part(_CROSS_ENTROPY.get(kind, given) if given == "cross_entropy" else given, OBJECTIVES, Objective)
    if objective.target != kind:
        fitting = sorted(name for name, each in OBJECTIVES.items() if each.target == kind)
        raise ValueError(
            f"The targets are {kind}, but {given!r} is for {objective.target}; choose from {fitting}, or give y as "
            f"{objective.target}."
        )
    return objective
