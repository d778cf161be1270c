"""Class weights, focal loss, smoothing, the penalisation matrix, and every rater kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import f1_score

from featmer import FusionClassifier
from featmer.collate import Batch
from featmer.corpora import load_crema_d
from featmer.evaluation.metrics import kld
from featmer.evaluation.splits import make_splits
from featmer.evaluation.stats import paired_bootstrap
from featmer.labels import aggregate_votes, count_votes, penalty_matrix, smooth_targets
from featmer.objectives import CrossEntropy, RaterHeads, SoftCrossEntropy

BATCH = Batch({}, {}, {}, dialogue=torch.zeros(0), turn=torch.zeros(0), speaker=torch.zeros(0))
LABELS = np.array(["anger", "joy", "neutral", "sadness"])
RATERS = ["Ann", "Bob", "Cem", "Dee", "Eli"]


def shares_of(seed, n_rows=20, n_labels=4):
    votes = np.random.default_rng(seed).multinomial(5, np.full(n_labels, 1 / n_labels), n_rows)
    return torch.tensor(votes / 5, dtype=torch.float32)


# ---- one label a row


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=2, max_size=8), st.floats(0, 0.9999))
def test_effective_numbers_lie_between_no_weights_and_balanced_ones(counts, beta):
    targets = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    weights = {
        name: CrossEntropy(class_weight=name, beta=share).build(len(counts)).learn(targets).weight.numpy()
        for name, share in (("balanced", None), ("effective", beta))
    }
    for each in weights.values():
        assert each.sum() == pytest.approx(len(counts), rel=1e-4)
    assert weights["balanced"] * counts == pytest.approx(
        np.full(len(counts), weights["balanced"][0] * counts[0]), rel=1e-3
    )
    spread = {name: each.max() / each.min() for name, each in weights.items()}
    assert 1 - 1e-5 <= spread["effective"] <= spread["balanced"] * (1 + 1e-4)
    by_hand = 1 / (1 - np.float64(beta) ** np.array(counts))
    assert weights["effective"] == pytest.approx(by_hand * len(counts) / by_hand.sum(), rel=1e-4)


def test_the_extremes_of_beta():
    targets = torch.tensor([0] * 90 + [1] * 10)
    equal = CrossEntropy(class_weight="effective", beta=0.0).build(2).learn(targets).weight
    assert equal.tolist() == [1.0, 1.0]
    almost = CrossEntropy(class_weight="effective", beta=1 - 1e-9).build(2).learn(targets).weight
    torch.testing.assert_close(almost, CrossEntropy(class_weight="balanced").build(2).learn(targets).weight)


def test_focal_loss_by_hand():
    outputs, targets = torch.randn(6, 3, generator=torch.manual_seed(0)), torch.tensor([0, 1, 2, 2, 1, 0])
    p = outputs.softmax(1)[torch.arange(6), targets]
    loss = CrossEntropy(focal=2.0).build(3).learn(targets).loss(outputs, targets, BATCH)
    torch.testing.assert_close(loss, ((1 - p) ** 2 * -p.log()).mean())
    plain = CrossEntropy(class_weight="balanced", label_smoothing=0.1).build(3).learn(targets)
    wanted = F.cross_entropy(outputs, targets, plain.weight, label_smoothing=0.1)
    torch.testing.assert_close(plain.loss(outputs, targets, BATCH), wanted)


def test_class_weights_find_a_rare_emotion_that_is_given_up_without():
    objectives = {
        "plain": CrossEntropy(),
        "balanced": CrossEntropy(class_weight="balanced"),
        "effective": CrossEntropy(class_weight="effective", beta=0.99),
    }
    f1 = {name: [] for name in objectives}
    for seed in (1, 2):
        (X, y), (X_test, y_test) = imbalanced(seed), imbalanced(100 + seed)
        for name, objective in objectives.items():
            model = FusionClassifier(objective=objective, random_state=seed, epochs=40, lr=0.01).fit(X, y)
            f1[name].append(f1_score(y_test, model.predict(X_test), average=None)[3])
    plain, balanced, effective = map(np.mean, f1.values())
    assert plain < 0.2
    assert balanced > plain + 0.05
    assert effective > plain + 0.15


def imbalanced(seed, n_rows=1500):
    """Return rows of four overlapping classes, of which the last is one in 33."""
    rng = np.random.default_rng(seed)
    y = rng.choice(4, n_rows, p=[0.62, 0.2, 0.15, 0.03])
    return 1.6 * np.eye(4, 8)[y] + rng.normal(size=(n_rows, 8)), y


@pytest.mark.parametrize("kind", [CrossEntropy, SoftCrossEntropy])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weight": "balance"}, "balanced"),
        ({"class_weight": "effective", "beta": 1.0}, "from 0 to below 1"),
        ({"beta": 0.9}, "with 'effective'"),
    ],
)
def test_options_without_sense_say_so(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options).build(3)


def test_a_negative_focus_says_so():
    with pytest.raises(ValueError, match="0 or more"):
        CrossEntropy(focal=-1.0).build(3)


# ---- distributions


def test_it_teaches_what_the_divergence_teaches():
    outputs, targets = torch.randn(20, 4, generator=torch.manual_seed(0)).requires_grad_(), shares_of(0)
    ours = torch.autograd.grad(SoftCrossEntropy().build(4).learn(targets).loss(outputs, targets, BATCH), outputs)[0]
    divergence = F.kl_div(outputs.log_softmax(1), targets, reduction="batchmean")
    torch.testing.assert_close(ours, torch.autograd.grad(divergence, outputs)[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 7))
def test_class_balanced_loss_is_that_of_emo_superb(seed, n_labels):
    """w_k = (1 - b) / (1 - b^n_k), b = (N - 1) / N, scaled to sum K; the loss weighs rows by their shares of w."""
    targets = shares_of(seed, 30, n_labels)
    y, N = targets.double().numpy(), 30
    n = np.maximum((np.round(5 * y) * n_labels > 5).sum(0), 1)
    b = (N - 1) / N
    w = (1 - b) / (1 - b**n)
    w *= n_labels / w.sum()
    outputs = torch.randn(30, n_labels, generator=torch.manual_seed(seed % 1000))
    by_hand = -((y @ w) * (y * np.log(softmax(outputs.double().numpy(), axis=1))).sum(1)).mean()
    objective = SoftCrossEntropy(class_weight="effective").build(n_labels).learn(targets)
    assert objective.loss(outputs, targets, BATCH).item() == pytest.approx(by_hand, rel=1e-4)


def test_smoothing_in_the_loss_is_smoothing_of_the_targets():
    outputs, targets = torch.randn(20, 4, generator=torch.manual_seed(0)), shares_of(1)
    smooth = torch.tensor(smooth_targets(pd.DataFrame(targets.numpy()), 0.05).to_numpy())
    ours = SoftCrossEntropy(label_smoothing=0.05).build(4).learn(targets).loss(outputs, targets, BATCH)
    torch.testing.assert_close(ours, SoftCrossEntropy().build(4).learn(smooth).loss(outputs, smooth, BATCH))


def test_smoothed_votes_can_be_told_again_and_sessions_hold_other_speakers(shared_data):
    segments = load_crema_d(shared_data("CREMA-D_votes"), channel="voice")
    votes = segments.filter(like="votes.")
    smooth = smooth_targets(aggregate_votes(votes).values, 0.05)
    shares = (smooth - 0.05 / 5) / (1 - 0.05 - 0.05 / 5)
    assert np.abs(shares.to_numpy() * votes.sum(axis=1).to_numpy()[:, None] - votes.to_numpy()).max() < 1e-4
    first = make_splits("by_session", segments)[0]
    speakers = [set(segments["speaker"].iloc[rows]) for rows in first]
    assert [len(found) for found in speakers] == [55, 18, 18]
    assert len(set().union(*speakers)) == 91


class TestPenalty:
    """The penalisation matrix: what raters rarely choose together must not be mixed up."""

    VOTES = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])

    def penalty(self, targets, shares, **options):
        """Return the penalty alone of predicted shares."""
        outputs = torch.tensor(shares).clamp(min=1e-30).log()
        loss = [
            SoftCrossEntropy(penalty=alpha, **options).build(3).learn(self.VOTES).loss(outputs, targets, BATCH)
            for alpha in (1.0, 0.0)
        ]
        return (loss[0] - loss[1]).item()

    def test_none_where_the_prediction_keeps_to_labels_that_always_go_together(self):
        assert self.penalty(self.VOTES[:1], [[0.1, 0.9, 0.0]]) == pytest.approx(0, abs=1e-6)
        assert self.penalty(self.VOTES[2:], [[0.0, 0.0, 1.0]]) == pytest.approx(0, abs=1e-6)

    def test_it_is_the_expected_penalty(self):
        assert self.penalty(self.VOTES[:1], [[0.2, 0.2, 0.6]]) == pytest.approx(0.6, abs=1e-5)
        y, p = shares_of(0, 5, 3), softmax(np.random.default_rng(0).normal(size=(5, 3)), axis=1)
        P = penalty_matrix(self.VOTES.numpy(), "abc").to_numpy()
        by_hand = np.mean([sum(y[i, j] * P[j, z] * p[i, z] for j in range(3) for z in range(3)) for i in range(5)])
        assert self.penalty(y, p.tolist()) == pytest.approx(by_hand, rel=1e-4)

    def test_the_sum_as_it_is_written(self):
        y, p = shares_of(0, 5, 3).double().numpy(), softmax(np.random.default_rng(0).normal(size=(5, 3)), axis=1)
        P = penalty_matrix(self.VOTES.numpy(), "abc").to_numpy()
        terms = [y[i, j] * np.log(y[i, j] / p[i, j]) * P[j].sum() for i in range(5) for j in range(3) if y[i, j]]
        ours = self.penalty(shares_of(0, 5, 3), p.tolist(), penalty_mode="literal")
        assert ours == pytest.approx(sum(terms) / 5, rel=1e-4)

    def test_happy_for_sad_costs_more_than_anger_for_disgust(self, shared_data):
        segments = load_crema_d(shared_data("CREMA-D_votes"), channel="voice")
        votes = aggregate_votes(segments).values
        objective = SoftCrossEntropy(penalty=1.0).build(6).learn(torch.tensor(votes.to_numpy(np.float32)))
        penalties = pd.DataFrame(objective.penalties.numpy(), votes.columns, votes.columns)
        assert penalties.loc["anger", "disgust"] == pytest.approx(0.270, abs=5e-4)
        assert penalties.loc["happy", "sad"] == pytest.approx(0.725, abs=5e-4)

        def cost(true, said):
            outputs = torch.tensor(np.log(0.01 + (votes.columns == said)), dtype=torch.float32)[None]
            target = torch.tensor((votes.columns == true).astype(np.float32))[None]
            return objective._penalty(target, outputs.log_softmax(1)).item()

        assert cost("happy", "sad") > cost("anger", "disgust") > cost("anger", "anger")

    def test_it_moves_probability_to_where_it_may_be(self):
        """Joy is never chosen with anger or fear; where a row is unclear, the penalty makes the model take sides."""
        rng = np.random.default_rng(0)
        X = rng.normal(size=(300, 2))
        joy = rng.random(300) < 1 / (1 + np.exp(-X[:, 0]))
        anger = np.round(1 / (1 + np.exp(-X[:, 1])), 1)
        y = pd.DataFrame({"joy": joy * 1.0, "anger": ~joy * anger, "fear": ~joy * (1 - anger)})
        mixed = {}
        for penalty in (0.0, 2.0):
            objective = SoftCrossEntropy(penalty=penalty)
            model = FusionClassifier(objective=objective, epochs=40, lr=0.02, validation_share=0.0, random_state=0)
            p = model.fit(X, y).predict_proba(X)[:, 0]
            mixed[penalty] = (4 * p * (1 - p)).mean()
        assert mixed[2.0] < mixed[0.0] - 0.05

    def test_unknown_modes_say_so(self):
        with pytest.raises(ValueError, match="penalty_mode"):
            SoftCrossEntropy(penalty_mode="literaly").build(3)


# ---- every rater


def simulate(seed, n_rows, n_seen=5):
    """Return rows, what five raters of known bias say of them, the raters' mean distribution, and each rater's own.

    Where only some raters see a row, which ones goes by the row, as where each rater was given some of the sessions.
    """
    world, rng = np.random.default_rng(0), np.random.default_rng(seed)
    weights, bias = world.normal(size=(8, 4)), 1.5 * world.normal(size=(5, 4))
    own = 0.5 * world.normal(size=(5, 8, 4))
    X = rng.normal(size=(n_rows, 8))
    said = softmax((X @ weights)[:, None] + bias + np.einsum("nf,rfk->nrk", X, own), axis=2)
    codes = (said.cumsum(2) < rng.random((n_rows, 5, 1))).sum(2).clip(max=3)
    ratings = pd.DataFrame(LABELS[codes].astype(object), columns=RATERS)
    near = rng.random((n_rows, 5)) + np.abs(1.5 * X[:, :1] + 2 - np.arange(5))
    ratings = ratings.where(near.argsort(1).argsort(1) < n_seen, None)
    return X, ratings, said.mean(1), said


def answers(model, X, wanted):
    """Return a predictions frame, a dialogue a row."""
    said = model.predict_proba(X)
    columns = {f"t.{label}": wanted[:, i] for i, label in enumerate(LABELS)}
    columns |= {f"p.{label}": said[:, i] for i, label in enumerate(LABELS)}
    return pd.DataFrame(columns).assign(dialogue=np.arange(len(X)), turn=0)


QUICK = {"epochs": 60, "lr": 0.01, "random_state": 0}


def test_raters_tell_the_shares_better_than_a_hard_consensus():
    X, ratings, _, _ = simulate(0, 800)
    X_test, _, wanted, _ = simulate(50, 1000)
    hard = aggregate_votes(count_votes(ratings), form="hard").values
    models = FusionClassifier(objective="raters", **QUICK).fit(X, ratings), FusionClassifier(**QUICK).fit(X, hard)
    raters, consensus = (answers(model, X_test, wanted) for model in models)
    comparison = paired_bootstrap("kld", raters, consensus, n_resamples=1000)
    assert comparison.difference < -0.03
    assert comparison.pvalue < 0.05


def test_raters_who_see_different_rows_do_not_bend_the_shares():
    X, ratings, _, _ = simulate(0, 800, n_seen=2)
    X_test, _, wanted, said = simulate(50, 1000)
    kept = FusionClassifier(objective=RaterHeads(), **QUICK).fit(X, ratings)
    shares = FusionClassifier(objective=RaterHeads(rater_weight=0.0), **QUICK).fit(X, ratings)
    assert kld(wanted, kept.predict_proba(X_test)) < kld(wanted, shares.predict_proba(X_test)) - 0.01
    each = kept.predict_raters(X_test)
    np.testing.assert_allclose(each.mean(1), kept.predict_proba(X_test), atol=1e-9)
    for rater in range(5):
        fit = [kld(said[:, rater], each[:, other]) for other in range(5)]
        assert np.argmin(fit) == rater, "each rater is told apart"


def test_without_the_raters_it_is_soft_cross_entropy():
    X, ratings, _, _ = simulate(0, 100)
    shares = aggregate_votes(count_votes(ratings)).values
    outputs, codes = torch.randn(100, 24, generator=torch.manual_seed(0)), torch.tensor(pd.factorize(LABELS)[0])
    codes = torch.tensor(ratings.apply(lambda column: np.searchsorted(LABELS, column)).to_numpy())
    ours = RaterHeads(n_raters=5, rater_weight=0.0).loss(outputs, codes, BATCH)
    targets = torch.tensor(shares.to_numpy(np.float32))
    torch.testing.assert_close(ours, SoftCrossEntropy().build(4).learn(targets).loss(outputs[:, :4], targets, BATCH))


@pytest.mark.parametrize("head", ["gated", "transformer", "pre_fusion"])
def test_any_head_takes_raters_and_is_saved(head, tmp_path, tiny_table):
    rng = np.random.default_rng(0)
    y = pd.DataFrame({rater: tiny_table.segments["emotion"] for rater in RATERS}).mask(rng.random((120, 5)) < 0.4)
    y.iloc[:, 0] = tiny_table.segments["emotion"]
    model = FusionClassifier(head, objective="raters", epochs=3, random_state=0).fit(tiny_table, y)
    assert model.target_ == "ratings"
    assert model.raters_ == tuple(RATERS)
    np.testing.assert_allclose(model.predict_proba(tiny_table).sum(1), 1)
    assert set(model.predict(tiny_table)) <= set(model.classes_)
    assert all(labels <= set(model.classes_) for labels in model.predict_set(tiny_table))
    model.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_raters(tiny_table), model.predict_raters(tiny_table))
    assert loaded.raters_ == model.raters_


def test_further_rows_and_validation_rows_of_ratings():
    X, ratings, _, _ = simulate(0, 120, n_seen=3)
    model = FusionClassifier(objective="raters", epochs=3, random_state=0, warm_start=True)
    model.fit(X[:80], ratings[:80], validation=(X[80:], ratings[80:]))
    model.fit(X, ratings)
    assert FusionClassifier(objective="raters", epochs=1).fit(X, ratings.to_numpy()).raters_ == (0, 1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"validation rows have the raters \('Bob'"):
        model.set_params(warm_start=False).fit(
            X, ratings, validation=(X, ratings[RATERS[::-1]].drop(columns="Eli")[RATERS[1:4]])
        )
    other = ratings.mask(ratings == "joy", "awe")
    with pytest.raises(ValueError, match=r"labels \['awe'\] that the training rows lack"):
        model.fit(X, ratings, validation=(X, other))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["joy", "fear"], "a column a rater"),
        ([["joy", None], [None, None]], "1 rows have no rating .first: row 1"),
        ([["joy", ["joy", "fear"]], ["fear", None]], "one label, or none"),
    ],
)
def test_ratings_that_are_none_say_so(y, message):
    y = pd.DataFrame(y) if isinstance(y[0], list) else y
    with pytest.raises(ValueError, match=message):
        FusionClassifier(objective="raters").fit(np.zeros((2, 1)), y)


def test_only_a_model_of_raters_tells_what_raters_say():
    X, y = np.zeros((8, 1)), ["joy", "fear"] * 4
    with pytest.raises(ValueError, match="fitted to labels, not to ratings"):
        FusionClassifier(epochs=1).fit(X, y).predict_raters(X)
    with pytest.raises(ValueError, match="how many raters"):
        RaterHeads().width(3)


def test_ratings_given_to_another_objective_say_what_they_are_for():
    ratings = pd.DataFrame({"Ann": ["joy", "fear"], "Bob": ["joy", None]})
    with pytest.raises(ValueError, match="objective='raters'.*count_votes"):
        FusionClassifier().fit(np.zeros((2, 1)), ratings)
