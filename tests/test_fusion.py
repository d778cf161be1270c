"""What fusion is for: answers that no modality has, nor the sum of what each says."""

from __future__ import annotations

import pytest
from synthetic import crossed_signs
from torch import nn

from featmer import FusionClassifier
from featmer.baselines import LinearClassifier
from featmer.nn import CrossModal, Encoders, Gated, Head, M2FNet, PreFusion, Transformer

SIZES = {"hidden": 32, "dropout": 0.0}


class Sum(Head):
    """The sum of what each modality says by itself."""

    def __init__(self, *, hidden=32, dropout=0.0):
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout

    def build(self, in_features, n_outputs, sequences=()):
        self.encoders = Encoders(in_features, self.hidden, self.dropout, sequences)
        self.output = nn.Linear(self.hidden, n_outputs)
        return self

    def forward(self, batch):
        return self.output(self.encoders(batch)[0].sum(1))


def score(model):
    train, test = crossed_signs(0), crossed_signs(100)
    return model.fit(*train).score(*test)


def fusion(head, **params):
    return FusionClassifier(head, lr=5e-3, epochs=25, validation_share=0, random_state=0, **params)


@pytest.mark.parametrize("alone", ["audio", "face"])
def test_one_modality_cannot_know_a_sign_that_two_decide(alone):
    assert score(fusion(M2FNet(**SIZES), modalities=[alone])) < 0.6


@pytest.mark.parametrize("model", [LinearClassifier(), fusion(Sum())], ids=["linear", "sum"])
def test_a_sum_over_modalities_cannot_know_their_product(model):
    assert score(model) < 0.6


@pytest.mark.parametrize(
    "head",
    [
        Gated(**SIZES),
        Transformer(**SIZES),
        M2FNet(**SIZES),
        M2FNet(values="other", **SIZES),
        CrossModal(**SIZES),
        PreFusion(**SIZES),
        PreFusion(fusion="query", **SIZES),
    ],
    ids=repr,
)
def test_fusion_finds_the_product_of_two_modalities(head):
    assert score(fusion(head)) > 0.85
