"""Several objectives side by side, each with its own outputs, its own targets and its own gaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.objectives.base import Objective
from featmer.objectives.distillation import Distillation
from featmer.objectives.label_graph import LabelGraph


class _Share(NamedTuple):
    """A task's part of everything."""

    name: str
    objective: Objective
    outputs: slice
    targets: slice
    answers: slice  # where the decoded outputs lie; those of a teacher lie there too, after all targets
    weight: float


class SeveralObjectives(Objective):
    """Several tasks in one model: a row is held only to the targets that it has.

    The loss is the sum of the tasks' own, each the mean over the rows of a batch that have its target. Outputs and
    targets lie side by side, task after task, with NaN at gaps; a teacher's answers lie after the targets, a number
    for each output.

    Parameters
    ----------
    objectives : mapping of str to Objective
        The tasks in order.
    sizes : mapping of str to int
        Outputs of each task: classes, or columns of its target.
    weights : mapping of str to float
        Weight of a task's loss; 1 where it is not named.
    graph : LabelGraph or None
        Makes all tasks' outputs.
    distillation : Distillation or None
        How students follow teachers.

    Examples
    --------
    >>> from featmer.objectives import CrossEntropy, MeanSquaredError
    >>> tasks = {"emotion": CrossEntropy(), "valence": MeanSquaredError()}
    >>> objective = SeveralObjectives(tasks, {"emotion": 2, "valence": 1}).build(3)
    >>> _ = objective.learn(torch.tensor([[0.0, torch.nan], [1.0, 2.0], [torch.nan, 4.0]]))
    >>> objective.decode(torch.zeros(1, 3))
    tensor([[0.5000, 0.5000, 3.0000]])
    """

    target = "several"
    deviation: Tensor

    def __init__(
        self,
        objectives: Mapping[str, Objective],
        sizes: Mapping[str, int],
        *,
        weights: Mapping[str, float] | None = None,
        graph: LabelGraph | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.objectives = objectives
        self.sizes = sizes
        self.weights = weights
        self.graph = graph
        self.distillation = distillation

    def width(self, n_outputs: int) -> int:
        """Return the sum of the tasks' widths, or that of the graph's vectors; see :class:`Objective`."""
        if self.graph is not None:
            return self.graph.width(n_outputs)
        return sum(objective.width(self.sizes[name]) for name, objective in self.objectives.items())

    def build(self, n_outputs: int) -> Self:
        """Make all that the tasks' objectives and the graph need; see :class:`Objective`."""
        self._each = nn.ModuleList(objective.build(self.sizes[name]) for name, objective in self.objectives.items())
        self._shares = list(self._lay_out())
        if self.graph is not None:
            self.graph.build(n_outputs)
        if self.distillation is not None:
            self.distillation.check()
        self.register_buffer("deviation", torch.ones(n_outputs))
        return self

    def learn(self, targets: Tensor) -> Self:
        """Let each task learn from the rows that have its target; see :class:`Objective`."""
        columns = []
        for share in self._shares:
            own, known = _known(share, targets)
            if not known.any():
                raise ValueError(f"No training row has a target {share.name!r}: all that do are held out to validate.")
            share.objective.learn(own[known])
            columns.append(_columns(share, targets))
            if share.objective.target == "values":
                deviation = own[known].std(0, correction=0)
                self.deviation[share.answers] = torch.where(deviation > 0, deviation, 1.0)
        if self.graph is not None:
            self.graph.connect(torch.cat(columns, 1), self._exclusive())
        return self

    def parts(self, outputs: Tensor, targets: Tensor, batch: Batch) -> dict[str, tuple[Tensor, int]]:
        """Return the weighted loss of each task on the rows that have its target; see :class:`Objective`."""
        outputs = self._readout(outputs)
        parts = {}
        for share in self._shares:
            own, known = _known(share, targets)
            if n_known := int(known.sum()):
                rows = known.nonzero()[:, 0]
                loss = share.objective.loss(outputs[rows, share.outputs], own[rows], batch.take(rows))
                parts[share.name] = (share.weight * loss, n_known)
        return parts

    def loss(self, outputs: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """Return the sum of the tasks' losses, and of those against their teachers; see :class:`Objective`."""
        losses = {name: loss for name, (loss, _) in self.parts(outputs, targets, batch).items()}
        nothing = outputs.sum() * 0.0  # of a batch without any target
        for name, loss in self._taught(outputs, targets).items():
            distillation = self.distillation or Distillation()
            losses[name] = (1 - distillation.weight) * losses.get(name, nothing) + distillation.weight * loss
        return sum(losses.values(), start=nothing)

    def decode(self, outputs: Tensor) -> Tensor:
        """Return the tasks' probabilities and values side by side; see :class:`Objective`."""
        outputs = self._readout(outputs)
        return torch.cat([share.objective.decode(outputs[:, share.outputs]) for share in self._shares], 1)

    def _readout(self, outputs: Tensor) -> Tensor:
        return outputs if self.graph is None else self.graph.readout(outputs)

    def _taught(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the weighted loss of each task against its teacher, where a row has the teacher's answers."""
        answers = targets[:, self._shares[-1].targets.stop :]
        if self.distillation is None or not answers.shape[1]:
            return {}
        own = self.decode(outputs) / self.deviation
        taught, losses = answers / self.deviation, {}
        for share in self._shares:
            known = ~taught[:, share.answers].isnan().any(1)
            if known.any():
                rows = known.nonzero()[:, 0]
                loss = self.distillation.loss(
                    share.objective.target, own[rows, share.answers], taught[rows, share.answers]
                )
                losses[share.name] = share.weight * loss
        return losses

    def _lay_out(self) -> Iterator[_Share]:
        """Go through the tasks: where each one's numbers lie."""
        weights = self.weights or {}
        output = column = answer = 0
        for name, objective in self.objectives.items():
            size = self.sizes[name]
            width = size if self.graph is not None else objective.width(size)
            n_columns = 1 if objective.target == "labels" else size
            yield _Share(
                name,
                objective,
                slice(output, output + width),
                slice(column, column + n_columns),
                slice(answer, answer + size),
                weights.get(name, 1.0),
            )
            output, column, answer = output + width, column + n_columns, answer + size

    def _exclusive(self) -> Tensor:
        """Return which pairs of outputs are labels of which a row has one."""
        pairs = torch.zeros(len(self.deviation), len(self.deviation), dtype=torch.bool, device=self.deviation.device)
        for share in self._shares:
            if share.objective.target in ("labels", "distributions"):
                pairs[share.answers, share.answers] = True
        return pairs


def _known(share: _Share, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return a task's targets as its objective wants them, and which rows have them."""
    own = targets[:, share.targets]
    known = ~own.isnan().any(1)
    return (own[:, 0].nan_to_num().long() if share.objective.target == "labels" else own), known


def _columns(share: _Share, targets: Tensor) -> Tensor:
    """Return a column an output: what the graph correlates."""
    own, known = _known(share, targets)
    if share.objective.target == "labels":
        n_labels = share.answers.stop - share.answers.start
        own = torch.nn.functional.one_hot(own, n_labels).to(targets.dtype)
    return torch.where(known[:, None], own, torch.nan)
