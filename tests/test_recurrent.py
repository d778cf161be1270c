"""The recurrent heads: what they remember, and of whom."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from featmer import Block, FeatureTable, FusionClassifier
from featmer.collate import collate
from featmer.nn import DialogueRNN, Recurrent

SEEN_FROM_THE_THIRD = {"past": [True, True, True, False, False], "both": [True] * 5}


def make_table(speakers, values=None, seed=0):
    """Return dialogues, one a word, whose letters are the speakers of the turns."""
    lengths = [len(word) for word in speakers]
    n_rows = sum(lengths)
    segments = pd.DataFrame(
        {
            "dialogue": np.repeat(np.arange(len(speakers)), lengths),
            "turn": np.concatenate([np.arange(length) for length in lengths]),
            "speaker": list("".join(speakers)),
        }
    )
    if values is None:
        values = np.random.default_rng(seed).standard_normal((n_rows, 3))
    return FeatureTable(segments, {"audio": Block(values, [f"audio.{i}" for i in range(values.shape[1])])})


def built(head, n_outputs=2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return head.build({"audio": 3}, n_outputs).double().eval()


def batch_of(*speakers):
    batch = collate(make_table(speakers))
    return dataclasses.replace(batch, features={name: values.double() for name, values in batch.features.items()})


@pytest.mark.parametrize("kind", [Recurrent, DialogueRNN])
@pytest.mark.parametrize("context", ["past", "both"])
def test_a_turn_knows_of_the_turns_it_may_know_of(kind, context):
    batch = batch_of("abcab", "abb")
    audio = batch.features["audio"].requires_grad_()
    built(kind(hidden=8, context=context))(batch)[2].sum().backward()
    assert audio.grad.any(dim=1).tolist() == [*SEEN_FROM_THE_THIRD[context], False, False, False]


def test_recurrent_is_a_plain_lstm_over_each_dialogue():
    head, batch = built(Recurrent(hidden=8)), batch_of("abcab", "abb")
    turns = head.join(batch)
    forwards, backwards = head.memory.forwards[0], head.memory.backwards[0]
    said = [
        torch.cat([forwards(own[None])[0][0], backwards(own.flip(0)[None])[0][0].flip(0)], dim=1)
        for own in (turns[:5], turns[5:])
    ]
    torch.testing.assert_close(head(batch), head.output(torch.cat([turns, torch.cat(said)], dim=1)))


def test_dialogue_rnn_tells_speakers_apart_but_not_by_name():
    head = built(DialogueRNN(hidden=8, context="past"))
    alternating, renamed, other = head(batch_of("abab")), head(batch_of("yxyx")), head(batch_of("abbb"))
    assert torch.equal(alternating, renamed)
    torch.testing.assert_close(alternating[:2], other[:2])
    assert not torch.allclose(alternating[2], other[2])


def test_a_listener_keeps_what_he_was_like():
    """What a speaker says reaches another's next turn by the dialogue's state alone, not by his own."""
    head = built(DialogueRNN(hidden=8, context="past"))
    memory = head.ways[0]
    with torch.no_grad():
        memory.look_back.weight.zero_()  # the look back then is a plain mean of global states
        for cell in (memory.speaker, memory.dialogue):
            cell.weight_hh.normal_()
    batch = batch_of("aba")
    one_speaker = dataclasses.replace(batch, speaker=torch.zeros_like(batch.speaker))
    assert not torch.allclose(head(batch)[2], head(one_speaker)[2])


@pytest.mark.slow
def test_a_rule_of_a_speakers_own_past_is_learnt_by_speaker_states():
    """The label is the sign that the same speaker showed the turn before the last; the other one's sign is a lure."""

    def make(seed):
        rng = np.random.default_rng(seed)
        speakers = ["".join(rng.choice(list("ab"), 10)) for _ in range(150)]
        signs = rng.choice([-1.0, 1.0], (1500, 1))
        table = make_table(speakers, np.concatenate([signs, rng.standard_normal((1500, 2))], axis=1))
        last: dict[tuple[int, str], float] = {}
        labels = []
        for (dialogue, speaker), sign in zip(
            table.segments[["dialogue", "speaker"]].itertuples(index=False), signs[:, 0], strict=True
        ):
            labels.append(last.get((dialogue, speaker), 1.0))
            last[dialogue, speaker] = sign
        return table, np.array(labels)

    train, test = make(0), make(1)
    scores = {
        kind: FusionClassifier(kind(hidden=32, dropout=0.0, context="past"), epochs=60, lr=5e-3, random_state=0)
        .fit(*train)
        .score(*test)
        for kind in (Recurrent, DialogueRNN)
    }
    assert scores[DialogueRNN] > 0.9
    assert scores[DialogueRNN] > scores[Recurrent] + 0.1


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="hidden must be even"):
        built(Recurrent(hidden=7))
    with pytest.raises(ValueError, match="did you mean 'past'"):
        built(DialogueRNN(context="pst"))
