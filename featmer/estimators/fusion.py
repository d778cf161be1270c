"""What the fusion classifier and regressor share: parameters, fit, save and load."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from featmer import __version__
from featmer._estimator import TableEstimator, hold_out_dialogues
from featmer._saving import replaced_folder
from featmer.collate import TensorTable
from featmer.estimators.parts import from_json, make_part, read_part, to_json, write_part
from featmer.nn import HEADS, Head, Standardise
from featmer.objectives import OBJECTIVES, Objective
from featmer.table import FeatureTable
from featmer.training import Checkpoint, Examples, Plan, predict, seeded, train

PARAMETERS = "parameters.json"
WEIGHTS = "model.safetensors"

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


class FusionEstimator(TableEstimator):
    """Base of :class:`FusionClassifier` and :class:`FusionRegressor`, which document the parameters."""

    target: str

    def __init__(
        self,
        head: str | Head,
        *,
        objective: str | Objective,
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
        curriculum: Curriculum | None,
        checkpoint: str | Path | None,
        random_state: int | np.random.RandomState | None,
        device: str | torch.device | None,
        verbose: int,
    ) -> None:
        self.head = head
        self.objective = objective
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
        self.curriculum = curriculum
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of a head or objective that was given by name.

        Parameters
        ----------
        **params
            ``lr=0.01``, ``head="gated"``, ``head__hidden=32``, ``objective__class_weight="balanced"``.

        Returns
        -------
        estimator
            Itself.
        """
        for part, choices, base in (("head", HEADS, Head), ("objective", OBJECTIVES, Objective)):
            value = params.get(part, getattr(self, part))
            if isinstance(value, str) and any(name.startswith(f"{part}__") for name in params):
                params[part] = make_part(value, choices, base)
        return super().set_params(**params)

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
        plan = self._plan(seed)
        examples = self._examples(table, targets)
        self.sequences_, self.n_outputs_ = examples.tensors.sequences, n_outputs
        watched = self._examples(*validation) if len(validation[0]) else None
        with seeded(seed, examples.tensors.device):
            scaling = self._build().learn(examples.tensors.values)
            self.objective_.learn(examples.targets)
            checkpoint = self._checkpoint(plan, examples, watched)
            for each in (examples, watched):
                if each is not None:  # once here, not once a batch
                    each.tensors.values = scaling.scaled(each.tensors.values)
            start = time.perf_counter()
            self.history_ = train(
                self.module_[1],
                self.objective_,
                examples,
                watched,
                plan,
                curriculum=self._curriculum(table, targets),
                checkpoint=checkpoint,
            )
        self.seconds_per_epoch_ = (time.perf_counter() - start) / len(self.history_)
        return self

    def _curriculum(self, table: FeatureTable, targets: NDArray[Any]) -> Callable[[int], NDArray[np.bool_]] | None:
        """Return which rows an epoch learns from, or None for always all."""
        curriculum = self.curriculum
        if curriculum is None:
            return None
        y = self.classes_[targets] if self.target == "labels" else targets

        def rows(epoch: int) -> NDArray[np.bool_]:
            chosen = np.asarray(curriculum.rows(table.segments, y, epoch))
            if chosen.shape != (len(table),) or chosen.dtype != bool or not chosen.any():
                raise ValueError(
                    f"{curriculum!r} must choose rows by a mask of {len(table)} bools, at least one of them True; for "
                    f"epoch {epoch} it gave {chosen.dtype} of shape {chosen.shape}, sum {chosen.sum()}."
                )
            return chosen

        return rows

    def _checkpoint(self, plan: Plan, examples: Examples, watched: Examples | None) -> Checkpoint | None:
        """Return the place of this fit's unfinished state: its name tells data and settings apart."""
        if self.checkpoint is None:
            return None
        parts: list[object] = [replace(plan, progress=False), self.modalities_, self.module_, self.objective_]
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
        head = make_part(self.head, HEADS, Head).build(in_features, self.n_outputs_, self.sequences_)
        scaling = Standardise(in_features)
        self.module_ = nn.Sequential(scaling, head).to(self._device())
        choices = {name: kind for name, kind in OBJECTIVES.items() if kind.target == self.target}
        objective = make_part(self.objective, choices, Objective)
        if objective.target != self.target:
            raise ValueError(f"{type(self).__name__} cannot use {objective!r}; choose from {sorted(choices)}.")
        self.objective_ = objective.build(self.n_outputs_).to(self._device())
        if self.compile:
            head.compile(dynamic=True)
        self.n_parameters_ = sum(weights.numel() for weights in self.module_.parameters())
        return scaling

    def _examples(self, table: FeatureTable, targets: NDArray[Any]) -> Examples:
        device = self._device()
        dtype = torch.int64 if self.target == "labels" else torch.float32
        return Examples(TensorTable(table, device), torch.tensor(targets, dtype=dtype, device=device))

    def _device(self) -> torch.device:
        gpu = torch.cuda.is_available()
        device = torch.device(self.device or ("cuda" if gpu else "cpu"))
        if device.type == "cuda" and not gpu:
            raise ValueError(
                f"device={self.device!r}, but torch sees no GPU here: use device='cpu', or None to choose."
            )
        return device

    def _outputs(self, X: FeatureTable | ArrayLike) -> torch.Tensor:
        """Return the head's outputs for every row of X."""
        check_is_fitted(self)
        device = self._device()
        # In double precision the batch that a row happens to be in leaves no trace.
        dtype = torch.float64 if device.type == "cpu" else torch.float32
        tensors = TensorTable(self._check_table(X, reset=False), device, dtype)
        if tensors.sequences != self.sequences_:
            raise ValueError(
                f"{type(self).__name__} was fitted with sequences for {list(self.sequences_)}, but X has sequences for "
                f"{list(tensors.sequences)}; pool both tables alike: table.pool()."
            )
        with seeded(0, device):
            return predict(self.module_, tensors, self.batch_size).double()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a folder of weights and JSON, without pickle.

        A curriculum is not written: it has done its work.

        Parameters
        ----------
        path : path-like
            The folder; one that an estimator was saved to before is replaced in one step.

        Raises
        ------
        FileExistsError
            If the folder holds something else.
        ValueError
            If a parameter cannot be written, such as a head that is not in ``HEADS``.
        """
        check_is_fitted(self)
        params = self.get_params(deep=False)
        params["head"] = write_part(self.head, HEADS, "head")
        params |= {"curriculum": None, "checkpoint": self.checkpoint and str(self.checkpoint)}
        params["objective"] = write_part(self.objective, OBJECTIVES, "objective")
        about = {"class": type(self).__name__, "featmer": __version__, "params": params, "fitted": self._fitted()}
        weights = {name: values.cpu().contiguous() for name, values in self._modules().state_dict().items()}
        with replaced_folder(path, PARAMETERS) as folder:
            (folder / PARAMETERS).write_text(to_json(about), encoding="utf-8")
            save_file(weights, folder / WEIGHTS)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an estimator that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The folder.

        Returns
        -------
        estimator
            Fitted, with equal predictions.

        Raises
        ------
        ValueError
            If the folder holds no estimator of this class, or is damaged.
        """
        about = from_json(Path(path, PARAMETERS), cls.__name__)
        try:
            params = about["params"]
            params["head"] = read_part(params["head"], HEADS, "head")
            params["objective"] = read_part(params["objective"], OBJECTIVES, "objective")
            estimator = cls(**params)
            estimator._restore(about["fitted"])
            estimator._modules().load_state_dict(load_file(Path(path, WEIGHTS)))
        except (KeyError, TypeError, RuntimeError, OSError, SafetensorError) as error:
            raise ValueError(
                f"{path} is damaged, or was saved by another version of featmer (by {about.get('featmer')}, this is "
                f"{__version__}): {error!r}. Fit and save again."
            ) from error
        return estimator

    def _modules(self) -> nn.ModuleDict:
        return nn.ModuleDict({"module": self.module_, "objective": self.objective_})

    def _fitted(self) -> dict[str, Any]:
        """Return the fitted attributes that JSON can hold."""
        return {
            "modalities": self.modalities_,
            "sequences": self.sequences_,
            "n_outputs": self.n_outputs_,
            "history": self.history_,
            "feature_names": getattr(self, "feature_names_in_", None),
        }

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        """Take the fitted attributes back and make modules for the weights."""
        self.modalities_ = {modality: tuple(names) for modality, names in fitted["modalities"].items()}
        self.sequences_ = tuple(fitted["sequences"])
        self.n_outputs_ = fitted["n_outputs"]
        self.history_ = fitted["history"]
        self.n_features_in_ = sum(len(names) for names in self.modalities_.values())
        if fitted["feature_names"] is not None:
            self.feature_names_in_ = np.array(fitted["feature_names"], object)
        with seeded(0, self._device()):
            self._build()
