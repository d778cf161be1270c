"""What every estimator with a torch module shares: its device, its outputs for a table, its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from featmer import __version__
from featmer._estimator import TableEstimator
from featmer._parts import from_json, make_part, read_part, to_json, write_part
from featmer._saving import replaced_folder
from featmer.collate import TensorTable
from featmer.table import FeatureTable
from featmer.training import predict, seeded

PARAMETERS = "parameters.json"
WEIGHTS = "model.safetensors"


class TorchEstimator(TableEstimator):
    """Base of the estimators that train a torch module on a table.

    A subclass has parameters ``batch_size, device``, names its parts, sets
    ``module_, sequences_, history_`` in ``fit``, and makes fresh modules in ``_build``.
    """

    parts: ClassVar[Mapping[str, tuple[Mapping[str, type[BaseEstimator]], type[BaseEstimator]]]] = {}
    """Parameters given by name or as an object: the names, and what an object must be."""

    batch_size: int
    device: str | torch.device | None
    module_: nn.Sequential
    sequences_: tuple[str, ...]
    history_: list[dict[str, float]]

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those of a part that was given by name.

        Parameters
        ----------
        **params
            ``lr=0.01``, ``head="gated"``, ``head__hidden=32``, ``objective__class_weight="balanced"``.

        Returns
        -------
        estimator
            Itself.
        """
        for part, (choices, base) in self.parts.items():
            value = params.get(part, getattr(self, part))
            if isinstance(value, str) and any(name.startswith(f"{part}__") for name in params):
                params[part] = make_part(value, choices, base)
        return super().set_params(**params)

    def _build(self) -> Any:
        """Make fresh modules of the fitted sizes."""
        raise NotImplementedError(f"{type(self).__name__} must make its modules in _build().")

    def _device(self) -> torch.device:
        gpu = torch.cuda.is_available()
        device = torch.device(self.device or ("cuda" if gpu else "cpu"))
        if device.type == "cuda" and not gpu:
            raise ValueError(
                f"device={self.device!r}, but torch sees no GPU here: use device='cpu', or None to choose."
            )
        return device

    def _outputs(self, table: FeatureTable, module: nn.Module | None = None) -> Tensor:
        """Return the outputs for every row of a table, of the fitted module unless another is given."""
        device = self._device()
        # In double precision the batch that a row happens to be in leaves no trace.
        dtype = torch.float32 if device.type == "mps" else torch.float64  # Apple's GPUs have none
        tensors = TensorTable(table, device, dtype)
        if tensors.sequences != self.sequences_:
            raise ValueError(
                f"{type(self).__name__} was fitted with sequences for {list(self.sequences_)}, but X has sequences for "
                f"{list(tensors.sequences)}; pool both tables alike: table.pool()."
            )
        with seeded(0, device):
            return predict(module or self.module_, tensors, self.batch_size).double()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a folder of weights and JSON, without pickle.

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
        params = self._params_to_keep()
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
            Fitted, with equal outputs.

        Raises
        ------
        ValueError
            If the folder holds no estimator of this class, or is damaged.
        """
        about = from_json(Path(path, PARAMETERS), cls.__name__)
        try:
            params = about["params"]
            for part, (choices, _) in cls.parts.items():
                params[part] = read_part(params[part], choices, part)
            estimator = cls(**params)
            with seeded(0, estimator._device()):
                estimator._restore(about["fitted"])
                estimator._build()
            estimator._modules().load_state_dict(load_file(Path(path, WEIGHTS)))
        except (KeyError, TypeError, RuntimeError, OSError, SafetensorError) as error:
            raise ValueError(
                f"{path} is damaged, or was saved by another version of featmer (by {about.get('featmer')}, this is "
                f"{__version__}): {error!r}. Fit and save again."
            ) from error
        return estimator

    def _params_to_keep(self) -> dict[str, Any]:
        """Return the parameters as JSON can hold them; the device is that of a machine, and chosen anew on the next."""
        params = self.get_params(deep=False) | {"device": None}
        return params | {part: write_part(params[part], choices, part) for part, (choices, _) in self.parts.items()}

    def _modules(self) -> nn.ModuleDict:
        """Return the modules whose weights are kept."""
        return nn.ModuleDict({"module": self.module_})

    def _fitted(self) -> dict[str, Any]:
        """Return the fitted attributes that JSON can hold."""
        return {
            "modalities": self.modalities_,
            "sequences": self.sequences_,
            "history": self.history_,
            "feature_names": getattr(self, "feature_names_in_", None),
        }

    def _restore(self, fitted: Mapping[str, Any]) -> None:
        """Take the fitted attributes back."""
        self.modalities_ = {modality: tuple(names) for modality, names in fitted["modalities"].items()}
        self.sequences_ = tuple(fitted["sequences"])
        self.history_ = fitted["history"]
        self.n_features_in_ = sum(len(names) for names in self.modalities_.values())
        if fitted["feature_names"] is not None:
            self.feature_names_in_ = np.array(fitted["feature_names"], object)
