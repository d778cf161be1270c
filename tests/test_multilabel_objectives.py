"""Objectives for any number of labels a row: their formulas, what each part does, and that any head takes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch.nn.functional import binary_cross_entropy_with_logits

from featmer import Block, FeatureTable, FusionClassifier
from featmer.collate import collate
from featmer.estimators import label_support
from featmer.nn import HEADS, Aligner
from featmer.objectives import OBJECTIVES, AsymmetricLoss, BinaryCrossEntropy, ConditionalTransport, HybridLoss
from featmer.objectives.hybrid import contrast_loss, correlations, matching_loss, ranking_loss
from featmer.objectives.transport import navigators, transport_cost

MULTILABEL = sorted(name for name, made in OBJECTIVES.items() if made.target == "indicators")


def random_rows(seed=0, n_rows=12, n_labels=4):
    """Return log odds and labels, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    log_odds = torch.randn(n_rows, n_labels, generator=generator, dtype=torch.float64)
    return log_odds, (torch.rand(n_rows, n_labels, generator=generator) < 0.4).double()


def random_tokens(seed=0, n_rows=5, n_tokens=6, n_labels=4):
    """Return cosines, which tokens are there and which labels hold; of some rows no token, or no label."""
    generator = torch.Generator().manual_seed(seed)
    cosine = torch.rand(n_rows, n_tokens, n_labels, generator=generator, dtype=torch.float64) * 2 - 1
    real = torch.rand(n_rows, n_tokens, generator=generator) < 0.7
    present = torch.rand(n_rows, n_labels, generator=generator) < 0.5
    real[0], present[1] = False, False
    real[2:, 0], present[2:, 0] = True, True
    return cosine, real, present


# --- Binary cross-entropy and the asymmetric loss ---


def test_rare_labels_weigh_more_up_to_ten():
    targets = torch.zeros(100, 4)
    targets[:80, 0] = targets[:25, 1] = targets[:1, 2] = 1
    assert BinaryCrossEntropy(class_weight="balanced").build(4).learn(targets).weight.tolist() == [1, 3, 10, 10]
    assert BinaryCrossEntropy().build(4).learn(targets).weight.tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="did you mean 'balanced'"):
        BinaryCrossEntropy(class_weight="balancd").build(4)


def test_weights_change_the_loss_of_what_is_there_only():
    log_odds, targets = random_rows()
    objective = BinaryCrossEntropy(class_weight="balanced").double().build(4).learn(targets)
    p = log_odds.sigmoid()
    expected = -(objective.weight * targets * p.log() + (1 - targets) * (1 - p).log()).mean()
    torch.testing.assert_close(objective.loss(log_odds, targets, None), expected, rtol=1e-6, atol=0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 30))
def test_the_asymmetric_loss_without_asymmetry_is_binary_cross_entropy(seed, scale):
    log_odds, targets = random_rows(seed)
    loss = AsymmetricLoss(focus_absent=0, margin=0).loss(log_odds * scale, targets, None)
    torch.testing.assert_close(loss, binary_cross_entropy_with_logits(log_odds * scale, targets))


@pytest.mark.parametrize("settings_", [{}, {"focus_present": 1, "focus_absent": 2, "margin": 0.1}])
def test_the_asymmetric_loss_is_its_formula(settings_):
    log_odds, y = random_rows()
    objective = AsymmetricLoss(**settings_)
    p = log_odds.sigmoid()
    shifted = (p - objective.margin).clamp(min=0)
    kept = y * (1 - p) ** objective.focus_present * p.log()
    invented = (1 - y) * shifted**objective.focus_absent * (1 - shifted).log()
    torch.testing.assert_close(objective.loss(log_odds, y, None), -(kept + invented).mean())


def test_with_equal_powers_and_no_margin_it_is_focal_loss():
    log_odds, y = random_rows()
    right = torch.where(y > 0, log_odds.sigmoid(), 1 - log_odds.sigmoid())
    focal = AsymmetricLoss(focus_present=2, focus_absent=2, margin=0).loss(log_odds, y, None)
    torch.testing.assert_close(focal, ((1 - right) ** 2 * -right.log()).mean())


def test_the_penalty_of_several_labels_is_its_formula():
    """Mean over rows and labels of what the right labels make of saying another; P is one less n_jz / n_jj."""
    log_odds, y = random_rows()
    together = y.T @ y
    P = (1 - together / together.diagonal()[:, None]).fill_diagonal_(0)
    plain, penal = (BinaryCrossEntropy(penalty=alpha).double().build(4).learn(y) for alpha in (0.0, 0.5))
    p = log_odds.sigmoid()
    sums = [sum(y[i, j] * P[j, z] * p[i, z] for j in range(4) for z in range(4)) for i in range(12)]
    gap = penal.loss(log_odds, y, None) - plain.loss(log_odds, y, None)
    torch.testing.assert_close(gap, 0.5 * torch.stack(sums).mean() / 4, rtol=1e-6, atol=0)


def test_the_penalty_parts_labels_that_never_hold_together():
    """Joy never holds with anger; where a row is unclear about both, the penalty lets fewer have both."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    joy = rng.random(300) < 1 / (1 + np.exp(-X[:, 0]))
    y = pd.DataFrame({"joy": joy, "anger": ~joy & (rng.random(300) < 0.8), "awe": X[:, 1] > 0}).astype(int)
    both = {}
    for penalty in (0.0, 0.8):
        objective = BinaryCrossEntropy(penalty=penalty)
        model = FusionClassifier(objective=objective, epochs=40, lr=0.02, validation_share=0.0, random_state=0)
        p = model.fit(X, y).predict_proba(X)
        both[penalty] = (p[:, 0] * p[:, 1]).mean()
    assert both[0.8] < both[0.0] - 0.05


def test_easy_absent_labels_do_not_count_and_hard_ones_do():
    absent = torch.zeros(1, 1)
    easy, hard = (AsymmetricLoss().loss(torch.tensor([[value]]), absent, None).item() for value in (-4.0, 4.0))
    assert easy == 0 < 1 < hard


def test_the_asymmetric_loss_stays_finite_far_out():
    log_odds = torch.tensor([[300.0, -300.0, 0.0]], requires_grad=True)
    loss = AsymmetricLoss(margin=0, focus_absent=0.5).loss(log_odds, torch.tensor([[0.0, 1.0, 1.0]]), None)
    loss.backward()
    assert loss.isfinite()
    assert log_odds.grad.isfinite().all()


def test_powers_below_zero_are_refused():
    with pytest.raises(ValueError, match="powers are 0 or more"):
        AsymmetricLoss(focus_absent=-1).build(2)


# --- The hybrid loss ---


TERMS = {
    "asymmetric": lambda x, y: AsymmetricLoss().loss(x, y, None),
    "ranking": lambda x, y: ranking_loss(x.sigmoid(), y, 1 - correlations(y)),
    "matching": lambda x, y: matching_loss(x.sigmoid(), correlations(y)),
    "contrast": lambda x, y: contrast_loss(x, y, 0.1),
    "hybrid": lambda x, y: hybrid(4).loss(x, y, None),
    "transport": lambda x, y: transporter().loss(x, y[:, :2], None),
}


def hybrid(hidden, **settings_):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HybridLoss(hidden=hidden, **settings_).build(4).double().learn(random_rows()[1])


def transporter(**settings_):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ConditionalTransport(tokens=2, hidden=2, **settings_).build(2).double()


@pytest.mark.parametrize("term", sorted(TERMS))
def test_gradients_are_right(term):
    log_odds, targets = random_rows(3, n_rows=5)
    assert torch.autograd.gradcheck(lambda x: TERMS[term](x, targets), log_odds.requires_grad_())


def test_correlations_are_numpys():
    targets = random_rows()[1]
    np.testing.assert_allclose(correlations(targets), np.corrcoef(targets.T))


def test_probabilities_that_are_the_labels_match_their_correlations():
    log_odds, targets = random_rows()
    together = correlations(targets)
    assert matching_loss(targets, together) == 0
    assert matching_loss(log_odds.sigmoid(), together) > 0.01


def test_ranking_is_its_formula():
    log_odds, targets = random_rows(n_rows=6)
    p, weight = log_odds.sigmoid(), 1 - correlations(targets)
    rows = []
    for row, y in zip(p, targets, strict=True):
        had, lacked = torch.where(y > 0)[0], torch.where(y == 0)[0]
        pairs = [weight[k, j] * (row[j] - row[k]).exp() for k in had for j in lacked]
        rows.append(torch.stack(pairs).mean() if pairs else torch.tensor(0.0, dtype=torch.float64))
    torch.testing.assert_close(ranking_loss(p, targets, weight), torch.stack(rows).mean())


def test_ranking_cares_less_for_labels_that_go_together():
    together = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
    p, y = torch.tensor([[0.4, 0.6]]), torch.tensor([[1.0, 0.0]])
    assert ranking_loss(p, y, 1 - together) < 0.3 * ranking_loss(p, y, torch.ones(2, 2))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_contrast_looks_at_angles_alone(seed):
    embedding, targets = random_rows(seed)
    turn = torch.linalg.qr(random_rows(seed + 1)[0][:4]).Q
    loss = contrast_loss(embedding, targets, 0.1)
    torch.testing.assert_close(contrast_loss(embedding @ turn, targets, 0.1), loss)
    torch.testing.assert_close(contrast_loss(embedding * 3, targets, 0.1), loss)


def test_the_contrast_is_low_where_rows_with_like_labels_lie_together():
    targets = torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 1.0], [0, 1.0, 0]])
    apart = torch.eye(4)
    sorted_, mixed = apart[[0, 0, 1, 1]], apart[[0, 1, 0, 1]]
    assert contrast_loss(sorted_, targets, 0.1) < 0.01 < 5 < contrast_loss(mixed, targets, 0.1)


def test_rows_that_share_no_label_add_nothing_to_the_contrast():
    embedding, targets = random_rows(n_rows=6)
    targets[:, 3] = 0
    extended = torch.cat([targets, torch.tensor([[0.0, 0, 0, 1]])])
    far = torch.cat([embedding, torch.full((1, 4), 0.0, dtype=torch.float64)])
    assert contrast_loss(far, extended, 0.1).isfinite()
    assert contrast_loss(embedding[:1], targets[:1], 0.1) == 0
    assert contrast_loss(embedding, torch.zeros_like(targets), 0.1) == 0


@pytest.mark.parametrize(
    ("changed", "weight"),
    [({"correlation_weight": 0.0}, 0.2), ({"contrast_weight": 0.0}, 0.1), ({"correlation": "matching"}, None)],
)
def test_each_part_of_the_hybrid_loss_counts(changed, weight):
    embedding, targets = random_rows()
    whole, without = (hybrid(4, **settings_).loss(embedding, targets, None) for settings_ in ({}, changed))
    assert whole != without
    if weight:
        together = correlations(targets)
        p = hybrid(4).decode(embedding)
        term = ranking_loss(p, targets, 1 - together) if weight == 0.2 else contrast_loss(embedding, targets, 0.1)
        torch.testing.assert_close(whole - without, weight * term)


def test_without_its_terms_the_hybrid_loss_is_weighted_cross_entropy_on_its_own_layer():
    embedding, targets = random_rows(n_rows=40)
    targets[5:, 0] = 0
    objective = hybrid(4, correlation_weight=0.0, contrast_weight=0.0).learn(targets)
    plain = BinaryCrossEntropy(class_weight="balanced").double().build(4).learn(targets)
    assert plain.weight.max() > 5
    expected = plain.loss(objective.decode(embedding).logit(), targets, None)
    torch.testing.assert_close(objective.loss(embedding, targets, None), expected, rtol=1e-6, atol=0)


def test_the_contrast_brings_rows_with_like_labels_together():
    embedding, targets = random_rows(5, n_rows=30)
    embedding.requires_grad_()
    alike = targets @ targets.T > 1
    close = {}
    for weight in (0.0, 1.0):
        moved = embedding.detach().clone().requires_grad_()
        optimizer, objective = torch.optim.SGD([moved], lr=1.0), hybrid(4, contrast_weight=weight)
        for _ in range(30):
            optimizer.zero_grad()
            objective.loss(moved, targets, None).backward()
            optimizer.step()
        direction = torch.nn.functional.normalize(moved.detach(), dim=1)
        close[weight] = (direction @ direction.T)[alike].mean()
    assert close[1.0] > close[0.0] + 0.05


# --- Conditional transport ---


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_plans_share_out_all_there_is_and_nothing_else(seed):
    cosine, real, present = random_tokens(seed)
    plan = navigators(cosine, real, present, 0.1)
    torch.testing.assert_close(plan.forward.sum(2), (real & present.any(1, keepdim=True)).double())
    torch.testing.assert_close(plan.backward.sum(1), (present & real.any(1, keepdim=True)).double())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_transport_costs_the_same_in_any_order_and_never_less_than_nothing(seed):
    cosine, real, present = random_tokens(seed)
    generator = torch.Generator().manual_seed(seed)
    tokens, labels = (torch.randperm(n, generator=generator) for n in cosine.shape[1:])
    cost = transport_cost(cosine, real, present, 0.1)
    assert cost >= 0
    moved = transport_cost(cosine[:, tokens][:, :, labels], real[:, tokens], present[:, labels], 0.1)
    torch.testing.assert_close(moved, cost)


def test_transport_is_its_formula():
    cosine, _, present = random_tokens(7)
    real = torch.ones_like(cosine[..., 0], dtype=torch.bool)
    costs = []
    for c, y in zip(cosine, present, strict=True):
        if y.any():
            c = c[:, y]
            forward, backward = (c / 0.1).softmax(1), (c / 0.1).softmax(0)
            costs.append(0.5 * (forward * (1 - c)).sum(1).mean() + 0.5 * (backward * (1 - c)).sum(0).mean())
    torch.testing.assert_close(transport_cost(cosine, real, present, 0.1), torch.stack(costs).mean())


def test_nothing_to_carry_costs_nothing():
    cosine, real, present = random_tokens()
    assert transport_cost(torch.ones_like(cosine), real, present, 0.1) == 0
    assert transport_cost(cosine[:2], real[:2], present[:2], 0.1) == 0
    assert transport_cost(cosine[2:], real[2:], present[2:], 0.1) > 0.1


def test_a_row_that_shows_nothing_but_its_label_costs_nothing_more_than_the_classification():
    objective = ConditionalTransport(tokens=3, hidden=8, transport_weight=1.0).build(4)
    plain = ConditionalTransport(tokens=3, hidden=8, transport_weight=0.0).build(4)
    plain.load_state_dict(objective.state_dict())
    shown, elsewhere = (objective.labels[[label] * 3].reshape(1, 24).detach() for label in (2, 0))
    target = torch.tensor([[0.0, 0, 1, 0]])
    torch.testing.assert_close(objective.loss(shown, target, None), plain.loss(shown, target, None))
    assert objective.loss(elsewhere, target, None) > plain.loss(elsewhere, target, None) + 0.5


def test_missing_tokens_leave_log_odds_and_gradients_finite():
    objective = transporter()
    outputs = torch.tensor([[1.0, 0.0, np.nan, np.nan], [np.nan] * 4], dtype=torch.float64, requires_grad=True)
    loss = objective.loss(outputs, torch.tensor([[1.0, 0.0], [1.0, 1.0]]), None)
    loss.backward()
    assert loss.isfinite()
    assert outputs.grad.isfinite().all()
    assert outputs.grad[0, :2].any()
    torch.testing.assert_close(objective.decode(outputs)[1], objective.bias.sigmoid())


def test_the_cost_of_transport_is_part_of_the_loss():
    outputs, targets = random_rows()
    without, whole = (transporter(transport_weight=w).loss(outputs, targets[:, :2], None) for w in (0.0, 1.0))
    assert whole > without + 0.1


def test_label_embeddings_keep_the_angles_of_words():
    words = np.random.default_rng(0).standard_normal((5, 40))
    labels = ConditionalTransport(hidden=8, embeddings=words.tolist()).build(5).labels.detach().numpy()
    unit = words / np.linalg.norm(words, axis=1, keepdims=True)
    np.testing.assert_allclose(labels @ labels.T, unit @ unit.T, atol=1e-6)
    with pytest.raises(ValueError, match=r"shape \(5, 40\); expected \(3, width\)"):
        ConditionalTransport(embeddings=words.tolist()).build(3)


def test_labels_start_from_their_frequency():
    targets = torch.tensor([[1.0, 0.0]] * 98)
    objective = ConditionalTransport(tokens=1, hidden=4).build(2).learn(targets)
    torch.testing.assert_close(objective.bias.sigmoid(), torch.tensor([0.99, 0.01]))


def needles(seed, n_rows, n_frames=12, width=16, n_labels=6):
    """Return rows of frames with one to three labels, each of which shows in a single frame; and in which."""
    rng = np.random.default_rng(seed)
    shapes = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0][:n_labels]
    frames, y = rng.standard_normal((n_rows, n_frames, width)), np.zeros((n_rows, n_labels), int)
    where = np.full((n_rows, n_labels), -1)
    for row in range(n_rows):
        labels = rng.choice(n_labels, rng.integers(1, 4), replace=False)
        where[row, labels] = rng.choice(n_frames, len(labels), replace=False)
        y[row, labels] = 1
        frames[row, where[row, labels]] += 3 * shapes[labels]
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0})
    return FeatureTable(segments, {"face": Block(list(frames), [f"face.{i}" for i in range(width)])}), y, where


def find_needles(seed, weight=None):
    """Return the mean average precision on rows not seen, and how often a label is traced to its frame."""
    head = Aligner(tokens=12, hidden=64, dropout=0.1)
    objective = "multilabel"
    if weight is None:
        head.set_params(tokens=1)
    else:
        objective = ConditionalTransport(tokens=12, hidden=32, transport_weight=weight)
    train, y, _ = needles(seed, 400)
    watched, wanted, _ = needles(100 + seed, 200)
    test, truth, where = needles(200 + seed, 300)
    model = FusionClassifier(head, objective=objective, epochs=25, lr=0.01, batch_size=64, random_state=seed)
    model.fit(train, y, validation=(watched, wanted))
    precision = average_precision_score(truth, model.predict_proba(test), average="macro")
    if weight is None:
        return precision, None
    traced = label_support(model, test).to_numpy().reshape(len(test), 12, -1).argmax(1) == where
    return precision, traced[truth == 1].mean()


def test_labels_that_show_in_one_frame_are_found_and_traced_to_it():
    precision, traced = find_needles(0, weight=0.3)
    assert precision > find_needles(0)[0] + 0.1
    assert traced >= 0.8


@pytest.mark.slow
def test_transport_helps_to_find_them_on_average():
    gains = [find_needles(seed, 0.3)[0] - find_needles(seed, 0.0)[0] for seed in range(5)]
    assert np.mean(gains) > 0
    assert min(gains) > -0.005


# --- Tokens ---


def two_modalities(n_rows=40, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, (n_rows, 2))
    audio = y[:, [0]] * 2 + 0.3 * rng.standard_normal((n_rows, 3))
    frames = [y[row, 1] * 2 + 0.3 * rng.standard_normal((1 + row % 9, 2)) for row in range(n_rows)]
    audio[3], frames[4] = np.nan, None
    blocks = {
        "audio": Block(audio, ["audio.a", "audio.b", "audio.c"]),
        "face": Block(frames, ["face.a", "face.b"]),
    }
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0})
    return FeatureTable(segments, blocks), pd.DataFrame(y, columns=["joy", "fear"])


def test_support_names_modalities_and_frames_and_leaves_out_what_is_missing():
    table, y = two_modalities()
    objective = ConditionalTransport(tokens=5, hidden=8)
    model = FusionClassifier(Aligner(tokens=5), objective=objective, epochs=60, lr=0.01, random_state=0).fit(table, y)
    support = label_support(model, table)
    assert list(support.columns) == ["joy", "fear"]
    assert list(support.loc[0].index) == ["audio", "face 1/4", "face 2/4", "face 3/4", "face 4/4"]
    there = support["joy"].notna().to_numpy().reshape(len(table), 5)
    assert there[[0, 1, 3, 4, 8]].tolist() == [
        [True, True, False, False, False],
        [True, True, True, False, False],
        [False, True, True, True, True],
        [True, False, False, False, False],
        [True, True, True, True, True],
    ]
    has = y.to_numpy().astype(bool)
    sums = support.groupby(level="row").sum()
    np.testing.assert_allclose(sums, 1)
    rows = support.xs("audio", level="token").drop([3, 4])
    kept = np.delete(has, [3, 4], axis=0)
    assert rows["joy"][kept[:, 0]].mean() > rows["fear"][kept[:, 1]].mean() + 0.3


def test_support_of_a_model_without_tokens_is_refused():
    table, y = two_modalities()
    with pytest.raises(ValueError, match="objective='transport'"):
        label_support(FusionClassifier(epochs=1).fit(table, y), table)


def test_head_and_objective_agree_on_the_number_of_tokens():
    table, y = two_modalities()
    with pytest.raises(ValueError, match="gives 4 tokens a row, but .* takes 8"):
        FusionClassifier(Aligner(tokens=4), objective="transport").fit(table, y)
    with pytest.raises(ValueError, match="gives 4 tokens a row, but .* takes 1"):
        FusionClassifier(Aligner(tokens=4)).fit(table, y)


def test_one_token_is_the_mean_of_the_modalities_that_are_there():
    table, _ = two_modalities()
    head = Aligner(hidden=8).build({"audio": 3, "face": 2}, 3, ["face"]).eval()
    both, audio, face = (head(collate(rows)) for rows in (table, hide(table, "face"), hide(table, "audio")))
    torch.testing.assert_close(both[0], (audio[0] + face[0]) / 2)
    torch.testing.assert_close(both[3], face[3])
    torch.testing.assert_close(both[4], audio[4])


def hide(table, modality):
    """Return the table without a modality's values."""
    block = table.blocks[modality]
    gone = [None] * len(table) if block.is_sequence else np.full_like(block.values, np.nan)
    return FeatureTable(table.segments, {**table.blocks, modality: Block(gone, block.names)})


@pytest.mark.parametrize(
    ("tokens", "n_outputs", "message"),
    [(4, 6, "same number of tokens"), (2, 4, "one token a modality"), (0, 3, "tokens")],
)
def test_tokens_that_do_not_fit_are_refused(tokens, n_outputs, message):
    with pytest.raises(ValueError, match=message):
        Aligner(tokens=tokens).build({"audio": 2, "face": 3, "text": 4}, n_outputs)


# --- Any head, any objective ---


@pytest.mark.parametrize("objective", MULTILABEL)
@pytest.mark.parametrize("head", sorted(HEADS))
def test_any_head_takes_any_of_them(head, objective, tmp_path):
    table, y = two_modalities(20)
    head = HEADS[head]().set_params(hidden=16)
    model = FusionClassifier(head, objective=objective, epochs=1, random_state=0).fit(table, y)
    probabilities = model.predict_proba(table)
    assert probabilities.shape == (20, 2)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@pytest.mark.parametrize("objective", MULTILABEL)
def test_all_of_them_learn_and_are_saved(objective, tmp_path):
    table, y = two_modalities(120)
    model = FusionClassifier(objective=objective, epochs=40, lr=0.01, random_state=0).fit(table, y)
    assert (model.predict(table) == y.to_numpy()).mean() > 0.9
    model.save(tmp_path / "model")
    loaded = FusionClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
