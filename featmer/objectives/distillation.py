"""What a student learns from a teacher's answers, right for each kind of target."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from torch import Tensor

from featmer._checks import check_name

FORMS = ("by_kind", "paper")


class Distillation(BaseEstimator):
    """How far a student is from a teacher, and how much that counts beside the true targets.

    Distributions over labels are compared by their Kullback-Leibler divergence, any number of labels by the
    divergence of each label's yes and no, numbers by their squared difference in units of their deviation.

    Parameters
    ----------
    weight : float, default=0.5
        Share of the teacher in the loss, from 0 to 1; the true targets have the rest.
    temperature : float, default=1.0
        Divides the log odds of both before they are compared; the loss is multiplied by its square, so that
        its gradients stay as large. Numbers have none.
    kd : {"by_kind", "paper"}, default="by_kind"
        "paper" compares the softmax of all outputs, labels that may hold together and numbers too, as the reference
        does. It is there to be compared with: adding the same number to all outputs of a task changes nothing in it, so
        a valence and an arousal that are both 3 too high have no loss.

    References
    ----------
    Hinton, Vinyals, Dean: Distilling the knowledge in a neural network. arXiv 1503.02531, 2015.
    Kang, Herremans: Towards unified music emotion recognition across dimensional and categorical models.
    arXiv 2502.03979, 2025.

    Examples
    --------
    >>> student, teacher = torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 5.0]])
    >>> float(Distillation().loss("values", student, teacher))
    9.0
    >>> round(float(Distillation(kd="paper").loss("values", student, teacher)), 6) + 0.0
    0.0
    """

    def __init__(self, *, weight: float = 0.5, temperature: float = 1.0, kd: str = "by_kind") -> None:
        self.weight = weight
        self.temperature = temperature
        self.kd = kd

    def check(self) -> None:
        """Look at the parameters.

        Raises
        ------
        ValueError
            If one is out of its range.
        """
        check_name(self.kd, FORMS, "form of distillation")
        if not 0 <= self.weight <= 1 or not self.temperature > 0:
            raise ValueError(
                f"weight is a share from 0 to 1 and temperature is above 0, got {self.weight!r} and "
                f"{self.temperature!r}."
            )

    def loss(self, kind: str, student: Tensor, teacher: Tensor) -> Tensor:
        """Tell how far the student's answers are from the teacher's.

        Parameters
        ----------
        kind : {"labels", "indicators", "distributions", "values"}
            What the answers are of.
        student, teacher : Tensor, shape (n_rows, n_outputs)
            Probabilities, or numbers in units of their deviation.

        Returns
        -------
        Tensor, shape ()
            Mean over the rows, 0 where they are the same.
        """
        if kind == "values" and self.kd == "by_kind":
            return F.mse_loss(student, teacher)
        if kind == "indicators":
            student, teacher = _log_odds(student), _log_odds(teacher)
        elif kind != "values":
            student, teacher = _log(student), _log(teacher)
        heat = self.temperature
        divergence = _of_each if kind == "indicators" and self.kd == "by_kind" else _of_all
        return divergence(student / heat, teacher / heat) * heat**2


def _of_all(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the divergence of the softmax of scores."""
    return F.kl_div(student.log_softmax(1), teacher.log_softmax(1), reduction="batchmean", log_target=True)


def _of_each(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean divergence of each label's yes and no, of log odds."""
    true = teacher.sigmoid()
    yes = true * (F.logsigmoid(teacher) - F.logsigmoid(student))
    no = (1 - true) * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return (yes + no).mean()


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def _log_odds(probabilities: Tensor) -> Tensor:
    return probabilities.logit(eps=torch.finfo(probabilities.dtype).eps)
