"""Teachers' answers as targets: right for each kind, and blind to shifts in the paper's form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, rel_entr, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from featmer import BoostedClassifier, FusionClassifier, FusionRegressor, MultitaskFusion
from featmer.baselines import DistilledClassifier, LinearClassifier
from featmer.collate import Batch
from featmer.nn import Concat
from featmer.objectives import BinaryCrossEntropy, CrossEntropy, Distillation, MeanSquaredError, SeveralObjectives

KINDS = ("labels", "distributions", "indicators", "values")
NAN = float("nan")


def answers(kind, seed, n_rows=5, n_outputs=4):
    """Return probabilities or numbers, and the scores that they come from."""
    scores = torch.randn(n_rows, n_outputs, generator=torch.Generator().manual_seed(seed)).double()
    scores.requires_grad_()
    given = {"indicators": torch.sigmoid, "values": lambda each: each}.get(kind, lambda each: each.softmax(1))(scores)
    return given, scores


@pytest.mark.parametrize("kd", ["by_kind", "paper"])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_student_that_agrees_has_no_loss_and_no_gradient(kind, temperature, kd):
    student, scores = answers(kind, 0)
    loss = Distillation(temperature=temperature, kd=kd).loss(kind, student, student.detach())
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert scores.grad.abs().max().item() < 1e-12
    other, _ = answers(kind, 1)
    assert Distillation(temperature=temperature, kd=kd).loss(kind, student, other).item() > 0.01


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_losses_are_those_of_the_formulas(temperature):
    distillation = Distillation(temperature=temperature)
    (student, z), (teacher, q) = answers("labels", 0), answers("labels", 1)
    z, q = z.detach().numpy() / temperature, q.detach().numpy() / temperature
    expected = rel_entr(softmax(q, 1), softmax(z, 1)).sum(1).mean() * temperature**2
    assert distillation.loss("labels", student, teacher).item() == pytest.approx(expected)
    (student, _), (teacher, _) = answers("indicators", 0), answers("indicators", 1)
    p, t = expit(q), expit(z)
    expected = (rel_entr(p, t) + rel_entr(1 - p, 1 - t)).mean() * temperature**2
    assert distillation.loss("indicators", student, teacher).item() == pytest.approx(expected)
    (student, _), (teacher, _) = answers("values", 0), answers("values", 1)
    assert distillation.loss("values", student, teacher).item() == pytest.approx(
        np.square((q - z) * temperature).mean()
    )


def test_the_form_of_the_paper_is_blind_to_a_shift_of_all_outputs():
    """Its softmax of valence and arousal does not see both 3 too high: no loss, no gradient; ours is 9."""
    teacher, _ = answers("values", 0, n_outputs=2)
    student = (teacher.detach() + 3).requires_grad_()
    paper, ours = (Distillation(kd=kd).loss("values", student, teacher.detach()) for kd in ("paper", "by_kind"))
    paper.backward()
    assert abs(paper.item()) < 1e-8
    assert student.grad.abs().max().item() < 1e-8
    assert ours.item() == pytest.approx(9)
    odds, _ = answers("values", 1)
    tags, shifted = odds.sigmoid(), (odds + 3).sigmoid()
    assert abs(Distillation(kd="paper").loss("indicators", shifted, tags).item()) < 1e-8
    assert Distillation().loss("indicators", shifted, tags).item() > 0.3


def test_certain_teachers_and_students_do_no_harm():
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    for kind in ("labels", "indicators"):
        student = torch.tensor([[0.0, 0.0], [30.0, -90.0]], requires_grad=True)
        given = student.sigmoid() if kind == "indicators" else student.softmax(1)
        loss = Distillation().loss(kind, given, certain)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(student.grad).all()


def batch_of(n_rows):
    index = torch.arange(n_rows)
    return Batch({}, {}, {}, dialogue=index, turn=torch.zeros_like(index), speaker=torch.zeros_like(index))


def test_teacher_and_targets_share_the_loss_by_weight_on_the_rows_that_each_has():
    kinds = {"emotion": CrossEntropy(), "valence": MeanSquaredError(), "tags": BinaryCrossEntropy()}
    sizes = {"emotion": 2, "valence": 1, "tags": 2}
    targets = torch.tensor([[0, 10.0, 1, 0], [1, 30.0, NAN, NAN], [NAN, NAN, 0, 1]])
    said = torch.tensor([[NAN, NAN, 14.0, 0.5, 0.5], [0.2, 0.8, NAN, 0.9, 0.4], [NAN, NAN, 30.0, NAN, NAN]])
    outputs = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    plain = SeveralObjectives(kinds, sizes).build(5).learn(targets)
    taught = SeveralObjectives(kinds, sizes, distillation=Distillation(weight=0.8)).build(5).learn(targets)
    expected = {name: 0.2 * loss for name, (loss, _) in plain.parts(outputs, targets, batch_of(3)).items()}
    both, one = Distillation(), outputs[[0, 2], 2]  # valence is told of two rows; its deviation is 10, its mean 20
    expected["valence"] += 0.8 * (one - torch.tensor([-0.6, 1.0])).square().mean()
    expected["emotion"] += 0.8 * both.loss("labels", outputs[[1], :2].softmax(1), said[[1], :2])
    expected["tags"] += 0.8 * both.loss("indicators", outputs[:2, 3:].sigmoid(), said[:2, 3:])
    loss = taught.loss(outputs, torch.cat([targets, said], 1), batch_of(3))
    torch.testing.assert_close(loss, sum(expected.values()))
    silent = torch.cat([targets, torch.full((3, 5), NAN)], 1)
    torch.testing.assert_close(taught.loss(outputs, silent, batch_of(3)), plain.loss(outputs, targets, batch_of(3)))
    watched = taught.parts(outputs, torch.cat([targets, said], 1), batch_of(3))
    assert watched["valence"][0] == plain.parts(outputs, targets, batch_of(3))["valence"][0]  # the truth alone


def tags_and_affect(n_rows, seed):
    """Return features, four rare tags, and valence and arousal."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99)
    X = rng.normal(size=(n_rows, 10))
    tags = X @ mixing.normal(size=(10, 4)) / 3 + rng.normal(size=(n_rows, 4)) > 1.0
    affect = X @ mixing.normal(size=(10, 2)) / 3 + 0.5 * rng.normal(size=(n_rows, 2))
    return X, tags.astype(float), affect


SMALL = {"head": Concat(hidden=32, dropout=0.0), "epochs": 40, "lr": 0.01}


def test_a_student_is_taught_by_fitted_estimators_by_name():
    X, tags, affect = tags_and_affect(300, 0)
    names = ["calm", "warm", "loud", "tense"]
    y = pd.DataFrame(tags, columns=[f"tags.{name}" for name in names])
    y[["affect.valence", "affect.arousal"]] = affect
    y.loc[20:] = np.nan  # all that is known of the other rows is what the teachers say
    teachers = {
        "tags": FusionClassifier(random_state=0, **SMALL).fit(X, pd.DataFrame(tags, columns=names)),
        "affect": FusionRegressor(random_state=0, **SMALL).fit(X, affect),
    }
    watched_X, watched_tags, watched_affect = tags_and_affect(100, 2)
    watched = watched_X, {"tags": pd.DataFrame(watched_tags, columns=names), "affect": watched_affect}
    alone = MultitaskFusion(random_state=0, **SMALL).fit(X, y, validation=watched)
    taught = MultitaskFusion(random_state=0, **SMALL).fit(X, y, validation=watched, teachers=teachers)
    test_X, test_tags, test_affect = tags_and_affect(300, 1)
    precision, error = {}, {}
    for name, model in (("alone", alone), ("taught", taught)):
        precision[name] = average_precision_score(test_tags, model.predict_proba(test_X)["tags"])
        said = model.predict(test_X)[["affect.valence", "affect.arousal"]].to_numpy()
        error[name] = np.square(said - test_affect).mean()
    assert precision["taught"] > precision["alone"] + 0.03
    assert error["taught"] < 0.8 * error["alone"]


def test_distillation_does_not_cost_precision_of_tags():
    """M10: multi-task with teachers right for each kind is no worse on tags than without, task by task its epoch."""
    gains = []
    for seed in range(3):
        X, tags, affect = tags_and_affect(400, seed)
        train_tags = np.where(np.arange(400)[:, None] < 250, tags, np.nan)
        train_affect = np.where(np.arange(400)[:, None] < 250, np.nan, affect)
        y = {"tags": train_tags, "affect": train_affect}
        teacher = FusionClassifier(random_state=seed, **SMALL).fit(X[:250], tags[:250])
        number = FusionRegressor(random_state=seed, **SMALL).fit(X[250:], affect[250:])
        own = {**SMALL, "best_epoch": "by_task", "random_state": seed}
        plain = MultitaskFusion(**own).fit(X, y)
        taught = MultitaskFusion(**own).fit(X, y, teachers={"tags": teacher, "affect": number})
        test_X, test_tags, _ = tags_and_affect(500, seed + 50)
        scores = [average_precision_score(test_tags, each.predict_proba(test_X)["tags"]) for each in (plain, taught)]
        gains.append(scores[1] - scores[0])
    assert np.mean(gains) > -0.005, gains


def test_columns_of_a_teacher_are_matched_by_name():
    X = np.random.default_rng(0).normal(size=(200, 2))
    y = np.where(X[:, 0] > 0, "joy", "fear")
    swapped = pd.DataFrame({"joy": (X[:, 0] > 0) * 1.0, "fear": (X[:, 0] <= 0) * 1.0})
    model = MultitaskFusion(distillation=Distillation(weight=1.0), random_state=0, **SMALL)
    predicted = model.fit(X, {"emotion": y}, teachers={"emotion": swapped}).predict(X)
    assert (predicted["emotion"] == y).mean() > 0.95
    wrong = swapped.to_numpy()  # without names they go by the order of classes_: fear, joy
    predicted = model.fit(X, {"emotion": y}, teachers={"emotion": wrong}).predict(X)
    assert (predicted["emotion"] == y).mean() < 0.5
    joy_first = FusionClassifier(random_state=0, **SMALL).fit(X, 0.9 * swapped + 0.05)
    assert joy_first.classes_.tolist() == ["joy", "fear"]
    predicted = model.fit(X, {"emotion": y}, teachers={"emotion": joy_first}).predict(X)
    assert (predicted["emotion"] == y).mean() > 0.95
    other = LogisticRegression().fit(X, y)
    assert model.fit(X, {"emotion": y}, teachers={"emotion": other}).predict_proba(X)["emotion"].shape == (200, 2)


@pytest.mark.parametrize(
    ("teachers", "message"),
    [
        ({"mood": np.ones((6, 2))}, "target to teach"),
        ({"emotion": np.ones((6, 2))}, "probabilities from 0 to 1 that sum to 1"),
        ({"emotion": np.ones((5, 2)) / 2}, "says something about 5 rows"),
        ({"emotion": pd.DataFrame({"joy": [1.0] * 6})}, r"expected 6 rows and .'fear', 'joy'"),
    ],
)
def test_a_teacher_that_does_not_fit_is_named(teachers, message):
    with pytest.raises(ValueError, match=message):
        MultitaskFusion(epochs=1).fit(np.zeros((6, 1)), {"emotion": ["joy", "fear"] * 3}, teachers=teachers)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"weight": 2.0}, "share from 0 to 1"), ({"temperature": 0.0}, "above 0"), ({"kd": "papr"}, "'paper'")],
)
def test_parameters_out_of_range_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        MultitaskFusion(distillation=Distillation(**parameters)).fit(np.zeros((6, 1)), {"valence": np.zeros(6)})


def test_the_weights_of_the_music_paper_are_those_of_its_formula():
    """M10: rows with a tag weigh 1/p, the tag 2 / (1 + 1/p)."""
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    outputs = torch.tensor([[0.5, -1.0], [2.0, 0.3], [-1.0, 0.0], [0.1, 3.0]])
    objective = BinaryCrossEntropy(class_weight="inverse").build(2).learn(targets)
    total, odds = 0.0, outputs.double().numpy()
    for tag, share in enumerate((0.75, 0.25)):
        for row in range(4):
            chance = expit(odds[row, tag])
            loss = -np.log(chance) / share if targets[row, tag] else -np.log(1 - chance)
            total += 2 / (1 + 1 / share) * loss / 8
    assert objective.loss(outputs, targets, batch_of(4)).item() == pytest.approx(total, rel=1e-6)
    plain = BinaryCrossEntropy().build(2).learn(targets).loss(outputs, targets, batch_of(4))
    assert plain.item() != pytest.approx(total, rel=0.01)


@parametrize_with_checks([DistilledClassifier(LinearClassifier())])
def test_scikit_learn(estimator, check):
    check(estimator)


def opinions(n_rows, seed):
    """Return features, what a teacher says about three tags, and two truths a row drawn from that."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    said = pd.DataFrame(expit(1.5 * X[:, :3] - 1.0), columns=["joy", "fear", "anger"])
    return X, said, (rng.random(said.shape) < said).astype(int)


@pytest.mark.parametrize("student", [LinearClassifier(C=10.0), BoostedClassifier(random_state=0, num_leaves=5)])
def test_a_light_student_of_soft_labels_is_nearer_to_its_teacher_than_one_of_hard_labels(student):
    """L10: at most half the error of a student that was taught what the teacher thinks likely, on the same rows."""
    X, said, _ = opinions(600, 0)
    test_X, expected, _ = opinions(400, 1)
    hard = DistilledClassifier(student).fit(X, (said > 0.5).astype(float))
    soft = DistilledClassifier(student).fit(X, said)
    of_hard, of_soft = (np.abs(m.predict_proba(test_X) - expected).to_numpy().mean() for m in (hard, soft))
    assert of_soft <= of_hard / 2


def test_a_torch_student_is_nearer_to_its_teacher_too():
    X, said, _ = opinions(600, 0)
    test_X, expected, _ = opinions(400, 1)
    hard = {"tags": (said > 0.5).astype(float)}
    alone = MultitaskFusion(random_state=0, **SMALL).fit(X, hard)
    model = MultitaskFusion(distillation=Distillation(weight=1.0, temperature=2.0), random_state=0, **SMALL)
    taught = model.fit(X, hard, validation=(X, hard), teachers={"tags": said})
    errors = [np.abs(each.predict_proba(test_X)["tags"] - expected).to_numpy().mean() for each in (alone, taught)]
    assert errors[1] <= errors[0] / 2


def test_what_a_student_is_taught_tells_its_kind():
    X, said, truth = opinions(200, 0)
    tags = DistilledClassifier(LinearClassifier(), thresholds="class").fit(X, said, validation=(X, truth))
    assert (tags.target_, len(tags.students_), tags.classes_.tolist()) == ("indicators", 3, ["joy", "fear", "anger"])
    assert len(set(tags.thresholds_)) > 1
    assert tags.predict(X).shape == (200, 3)
    shares = said.div(said.sum(axis=1), axis=0)
    one = DistilledClassifier(LinearClassifier()).fit(X, shares)
    assert (one.target_, len(one.students_)) == ("distributions", 1)
    assert DistilledClassifier(LinearClassifier()).fit(X, truth).target_ == "indicators"
    with pytest.raises(ValueError, match="numbers from .* whose rows sum to"):
        DistilledClassifier(LinearClassifier()).fit(X, said + 0.7)
