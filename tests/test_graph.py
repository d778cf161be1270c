"""Graph heads: edges and relations against plain loops, what depth does, and what relations are there to learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from synthetic import distant_cue, make_dialogues, speaker_inertia, whose_cue

from featmer import Block, FeatureTable, FusionClassifier
from featmer.collate import collate
from featmer.nn import MMGCN, DialogueGCN, GCNIILayer, RelationalGraphLayer
from featmer.nn.graph import angular_adjacency, normalised, speaker_relations, window_edges

WINDOWS = [(10, 10), (2, 1), (0, 3), (3, 0), (0, 0), (-1, -1), (-1, 0), (1, -1)]
DIALOGUE = torch.tensor([0] * 6 + [1] * 4 + [2])
TURN = torch.tensor([*range(6), *range(4), 0])
SPEAKER = torch.tensor([0, 1, 0, 2, 1, 5, 0, 1, 1, 0, 0])


def shuffled(*columns, seed=0):
    order = torch.randperm(len(DIALOGUE), generator=torch.Generator().manual_seed(seed))
    return [column[order] for column in columns]


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def window(i, dialogue, turn, past, future):
    """Return the neighbours of row i, found one by one."""
    found = []
    for j in range(len(turn)):
        distance = int(turn[j] - turn[i])
        if dialogue[i] == dialogue[j] and (past == -1 or distance >= -past) and (future == -1 or distance <= future):
            found.append(j)
    return found


def neighbours(edges, i):
    return edges.source[i][edges.real[i]].tolist()


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().double().eval()


def batch_of(table):
    batch = collate(table)
    return dataclasses.replace(batch, features={name: values.double() for name, values in batch.features.items()})


# edges and relations


@pytest.mark.parametrize(("past", "future"), WINDOWS)
def test_edges_are_those_that_a_loop_finds(past, future):
    dialogue, turn = shuffled(DIALOGUE, TURN)
    edges, wanted = window_edges(dialogue, turn, past, future), []
    for i in range(len(turn)):
        found = neighbours(edges, i)
        wanted.append(window(i, dialogue, turn, past, future))
        assert sorted(found) == wanted[i]
        assert turn[found].tolist() == sorted(turn[found].tolist())
        assert set(edges.source[i][~edges.real[i]].tolist()) <= {i}
    assert edges.real.sum() == sum(map(len, wanted))


def test_turns_that_are_not_there_leave_gaps():
    edges = window_edges(torch.zeros(3, dtype=torch.long), torch.tensor([0, 7, 1]), past=2, future=2)
    assert [sorted(neighbours(edges, i)) for i in range(3)] == [[0, 2], [1], [0, 2]]


@pytest.mark.parametrize("n_speakers", [1, 2, 4])
def test_there_are_two_relations_a_pair_of_speakers(n_speakers):
    turn = torch.arange(40)
    speaker = torch.randint(n_speakers, (40,), generator=torch.Generator().manual_seed(0))
    edges = window_edges(torch.zeros_like(turn), turn)
    relation = speaker_relations(speaker, turn, edges, n_speakers)
    assert sorted(relation.unique().tolist()) == list(range(2 * n_speakers**2))
    there = torch.empty(40, 40, dtype=torch.long).scatter_(1, edges.source, relation)
    same = there == there.T
    assert same.diagonal().all()
    assert same.sum() == 40
    for i, j in [(0, 1), (5, 2), (7, 7)]:
        assert there[i, j] == 2 * (speaker[i] * n_speakers + speaker[j]) + int(i < j)


def test_speakers_past_the_last_are_like_him():
    edges = window_edges(DIALOGUE, TURN)
    relation = speaker_relations(SPEAKER, TURN, edges, 3)
    assert relation.max() < 18
    assert torch.equal(relation, speaker_relations(SPEAKER.clamp(max=2), TURN, edges, 3))


# the relational layer


def dense_relational(layer, g, relation, alpha, linked):
    """Return what the layer should, a relation after the other over full matrices."""
    weights = torch.einsum("rb,bio->rio", layer.mix, layer.bases)
    total = alpha.diagonal()[:, None] * layer.own(g)
    for number, own in enumerate(weights):
        mask = linked & (relation == number)
        total = total + alpha * mask / mask.sum(1, keepdim=True).clamp(min=1) @ (g @ own)
    return total


def looped_relational(layer, g, relation, alpha, linked):
    """Return the same by three plain loops."""
    weights = torch.einsum("rb,bio->rio", layer.mix, layer.bases)
    rows = []
    for i in range(len(g)):
        total = alpha[i, i] * layer.own(g[i])
        for number, own in enumerate(weights):
            alike = [j for j in range(len(g)) if linked[i, j] and relation[i, j] == number]
            for j in alike:
                total = total + alpha[i, j] / len(alike) * (g[j] @ own)
        rows.append(total)
    return torch.stack(rows)


@pytest.mark.parametrize(("past", "future"), WINDOWS)
def test_the_relational_layer_is_the_sum_it_says_it_is(past, future):
    dialogue, turn, speaker = shuffled(DIALOGUE, TURN, SPEAKER)
    layer, g = seeded(lambda: RelationalGraphLayer(5, n_relations=18, bases=3)), draw(11, 5)
    edges = window_edges(dialogue, turn, past, future)
    weight = edges.softmax(draw(*edges.source.shape, seed=1))
    torch.testing.assert_close(weight.sum(1), torch.ones(11, dtype=torch.float64))
    sparse = layer(g, edges, speaker_relations(speaker, turn, edges, 3), weight)
    known = speaker.clamp(max=2)
    relation = 2 * (3 * known[:, None] + known) + (turn[:, None] < turn).long()
    alpha, linked = torch.zeros(11, 11, dtype=torch.float64), torch.zeros(11, 11, dtype=torch.bool)
    for i in range(11):
        alpha[i, neighbours(edges, i)] = weight[i][edges.real[i]]
        linked[i, window(i, dialogue, turn, past, future)] = True
    for reference in (dense_relational, looped_relational):
        torch.testing.assert_close(sparse, reference(layer, g, relation, alpha, linked), rtol=0, atol=1e-12)


@pytest.fixture
def noise():
    """Two dialogues of five turns, with text."""
    speakers = np.array([[0, 1, 0, 1, 1], [0, 0, 1, 2, 0]])
    return make_dialogues(speakers, np.random.default_rng(0).standard_normal((2, 5, 4)))


@pytest.mark.parametrize("edge_weight", ["bilinear", "position"])
def test_renaming_speakers_and_their_relations_changes_nothing(noise, edge_weight):
    head, batch = seeded(lambda: DialogueGCN(hidden=8, edge_weight=edge_weight).build({"text": 4}, 3)), batch_of(noise)
    before, names = head(batch), torch.tensor([2, 0, 3, 1])
    renamed = dataclasses.replace(batch, speaker=names[batch.speaker])
    assert not torch.allclose(head(renamed), before)
    reader, spoken, later = torch.meshgrid(torch.arange(4), torch.arange(4), torch.arange(2), indexing="ij")
    mix = torch.empty_like(head.relate.mix)
    with torch.no_grad():
        mix[2 * (4 * names[reader] + names[spoken]) + later] = head.relate.mix[2 * (4 * reader + spoken) + later]
        head.relate.mix.copy_(mix)
    torch.testing.assert_close(head(renamed), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize("head", [DialogueGCN(hidden=8), DialogueGCN(hidden=8, past=-1, future=-1), MMGCN(hidden=8)])
def test_no_edge_crosses_dialogues(noise, head):
    head, batch = seeded(lambda: head.build({"text": 4}, 3)), batch_of(noise)
    text = batch.features["text"].clone()
    text[:5] += draw(5, 4)
    changed = head(dataclasses.replace(batch, features={"text": text}))
    torch.testing.assert_close(changed[5:], head(batch)[5:], rtol=0, atol=1e-12)
    assert not torch.isclose(changed[:5], head(batch)[:5]).any()


@pytest.mark.parametrize(
    ("params", "seen"),
    [
        ({"past": 2, "future": 0}, [1, 1, 1, 0, 0]),
        ({"past": -1, "future": 0, "layers": 0}, [1, 1, 1, 0, 0]),
        ({"past": 0, "future": 0, "layers": 0}, [0, 0, 1, 0, 0]),
        ({"past": 0, "future": -1, "layers": 0}, [0, 0, 1, 1, 1]),
        ({}, [1, 1, 1, 1, 1]),
    ],
)
@pytest.mark.parametrize("edge_weight", ["bilinear", "position"])
def test_a_turn_sees_only_what_its_window_allows(noise, params, seen, edge_weight):
    head = DialogueGCN(hidden=8, edge_weight=edge_weight, **params)
    batch = batch_of(noise)
    text = batch.features["text"].requires_grad_()
    seeded(lambda: head.build({"text": 4}, 3))(batch)[2].sum().backward()
    assert text.grad.any(dim=1).int().tolist() == [*seen, *[0] * 5]


def test_bad_parameters_are_named():
    with pytest.raises(ValueError, match="did you mean 'bilinear'"):
        DialogueGCN(edge_weight="bilinar").build({"text": 4}, 2)
    with pytest.raises(ValueError, match="past must be 0 or more, or -1 for all turns, got -2"):
        DialogueGCN(past=-2).build({"text": 4}, 2)
    with pytest.raises(ValueError, match="speakers must be 1 or more, got 0"):
        DialogueGCN(speakers=0).build({"text": 4}, 2)


# the graph of turns and modalities


def test_angles_are_symmetric_weights_whose_spectrum_ends_at_one():
    nodes, real = draw(3, 12, 6), torch.arange(12) < torch.tensor([[12], [7], [1]])
    weights = angular_adjacency(nodes, real[:, None] & real[..., None])
    torch.testing.assert_close(weights, weights.transpose(1, 2), rtol=0, atol=1e-15)
    assert (weights >= 0).all()
    assert (weights <= 1).all()
    i, j = nodes[0, 3], nodes[0, 8]
    cosine = float(i @ j / i.norm() / j.norm())
    assert float(weights[0, 3, 8]) == pytest.approx(1 - np.arccos(0.99999 * cosine) / np.pi, abs=1e-12)
    spread = normalised(weights)
    assert not spread[~(real[:, None] & real[..., None])].any()
    torch.testing.assert_close(torch.linalg.eigvalsh(spread)[:, -1], torch.ones(3, dtype=torch.float64))


def test_depth_keeps_nodes_apart_where_plain_convolution_loses_them():
    def plain(hidden):
        return torch.nn.Linear(hidden, hidden, bias=False)

    torch.manual_seed(0)
    first = torch.randn(1, 30, 32).relu()
    adjacency = normalised(angular_adjacency(torch.randn(1, 30, 32), torch.ones(1, 30, 30, dtype=torch.bool)))
    deep = flat = first
    with torch.no_grad():
        for level in range(1, 65):
            deep = GCNIILayer(32, level)(deep, first, adjacency)
            flat = plain(32)(adjacency @ flat).relu()
    apart = (deep - deep.mean(1, keepdim=True)).norm() / (first - first.mean(1, keepdim=True)).norm()
    assert deep.norm(dim=-1).mean() > 0.5
    assert apart > 0.05
    assert flat.norm(dim=-1).mean() < 1e-8


def three_modalities(n_turns=(6, 4), absent=None):
    """Return two dialogues with text, audio and face, each missing somewhere, one of them perhaps everywhere."""
    rng = np.random.default_rng(0)
    table = make_dialogues(np.arange(6) % 2, rng.standard_normal((2, 6, 4)))
    table = table[np.flatnonzero(table.segments["turn"] < np.repeat(n_turns, 6))]
    blocks = {}
    for number, name in enumerate(("text", "audio", "face")):
        values = rng.standard_normal((len(table), 4))
        values[number + 1 :: 5] = np.nan
        if absent is not None:
            values[:] = np.nan if name == absent else 1.0 + values[:1]
        blocks[name] = Block(values, [f"{name}.{i}" for i in range(4)])
    return FeatureTable(table.segments, blocks)


def adjacency_of(head, batch):
    """Return what the first convolution is given: its nodes and their graph."""
    seen = []
    handle = head.convolutions[0].register_forward_hook(lambda module, given, result: seen.extend(given))
    outputs = head(batch)
    handle.remove()
    return outputs, seen[0], seen[2]


def test_the_graph_has_a_node_for_each_modality_that_is_there():
    head = seeded(lambda: MMGCN(hidden=8).build(dict.fromkeys(("text", "audio", "face"), 4), 3))
    batch = batch_of(three_modalities())
    outputs, nodes, adjacency = adjacency_of(head, batch)
    views, present = head._read(batch)
    for dialogue in range(2):
        known = [
            (row, m)
            for row in range(batch.n_rows)
            for m in range(3)
            if batch.dialogue[row] == dialogue and present[row, m]
        ]
        size = len(known)
        weights = torch.zeros(size, size, dtype=torch.float64)
        for a, (row, m) in enumerate(known):
            for b, (other_row, other_m) in enumerate(known):
                if row == other_row or m == other_m:
                    one, two = views[row, m], views[other_row, other_m]
                    cosine = one @ two / one.norm() / two.norm()
                    weights[a, b] = 1 - torch.arccos(0.99999 * cosine) / np.pi
        degree = weights.sum(1)
        wanted = weights / (degree[:, None] * degree).sqrt()
        torch.testing.assert_close(adjacency[dialogue, :size, :size], wanted, rtol=0, atol=1e-9)
        assert not adjacency[dialogue, size:].any()
    assert nodes.shape[1] == max(int(present[batch.dialogue == dialogue].sum()) for dialogue in range(2))
    assert outputs.isfinite().all()


@pytest.mark.parametrize("absent", ["text", "face"])
def test_a_modality_that_is_missing_everywhere_leaves_a_graph_of_two_nodes_a_turn(absent):
    head = seeded(lambda: MMGCN(hidden=8).build(dict.fromkeys(("text", "audio", "face"), 4), 3))
    outputs, nodes, adjacency = adjacency_of(head, batch_of(three_modalities(absent=absent)))
    assert nodes.shape[1] == 2 * 6
    assert (adjacency.diagonal(dim1=1, dim2=2) > 0).sum(1).tolist() == [2 * 6, 2 * 4]
    assert outputs.isfinite().all()


def test_a_model_of_three_modalities_serves_where_one_is_absent():
    table = three_modalities()
    model = FusionClassifier(MMGCN(hidden=8), epochs=2, validation_share=0, random_state=0)
    model.fit(table, np.arange(len(table)) % 3)
    assert model.predict_proba(three_modalities(absent="audio")).shape == (10, 3)


@pytest.mark.parametrize("head", ["graph", "mmgcn"])
def test_half_precision_does_not_round_angles_away(noise, head):
    model = FusionClassifier(head, half=True, epochs=5, validation_share=0, random_state=0).fit(
        noise, np.arange(10) % 2
    )
    assert all(np.isfinite(entry["loss"]) for entry in model.history_)


# what graphs and relations are there for


def trained(head, seed, train, *, epochs=15, lr=3e-3, batch_size=256):
    model = FusionClassifier(head, lr=lr, epochs=epochs, batch_size=batch_size, validation_share=0, random_state=seed)
    return model.fit(*train)


def mixed_up(table, seed):
    """Return a table in which the speakers of each dialogue have changed places at random."""
    rng = np.random.default_rng(seed)
    speakers = table.segments.groupby("dialogue")["speaker"].transform(lambda own: rng.permutation(own.to_numpy()))
    return FeatureTable(table.segments.assign(speaker=speakers), table.blocks)


@pytest.mark.slow
def test_emotions_that_last_in_a_speaker_are_followed_by_relations():
    def score(train, test, **params):
        model = trained(DialogueGCN(hidden=32, dropout=0.1, **params), seed, train)
        return f1_score(test[1], model.predict(test[0]), average="weighted")

    scores = []
    for seed in range(3):
        train, test = speaker_inertia(seed), speaker_inertia(seed + 100)
        mixed = (mixed_up(train[0], seed), train[1]), (mixed_up(test[0], seed + 50), test[1])
        scores.append([score(train, test), score(train, test, speakers=1), score(*mixed)])
    relational, alike, shuffled = np.mean(scores, axis=0)
    assert relational >= alike + 0.015, scores
    assert shuffled <= alike + 0.01, scores


@pytest.mark.slow
def test_only_speaker_relations_tell_whose_cue_it_was():
    train, (table, labels) = whose_cue(0, 300), whose_cue(1, 150)
    accuracy = {
        speakers: trained(DialogueGCN(hidden=32, dropout=0.0, speakers=speakers), 0, train).score(table, labels)
        for speakers in (1, 2)
    }
    assert accuracy[2] > 0.95
    assert accuracy[1] < 0.85


@pytest.mark.slow
def test_a_cue_two_hundred_turns_ago_is_beyond_a_window():
    """Mamba and the transformer remember it; a graph without recurrent layers follows it within three windows only."""
    right = {}
    for lag, n_dialogues in ((20, 256), (200, 64)):
        train, (table, labels) = distant_cue(0, n_dialogues, lag), distant_cue(1, 64, lag)
        model = trained(DialogueGCN(hidden=16, layers=0, dropout=0.0), 0, train, lr=1e-2)
        right[lag] = (model.predict(table) == labels)[table.segments["turn"] == lag].mean()
    assert right[20] > 0.95
    assert right[200] < 0.7
    batch = collate(table[np.arange(201)])
    text = batch.features["text"].requires_grad_()
    model.module_[1](batch)[-1].sum().backward()
    assert text.grad.any(dim=1).nonzero().min() == 200 - 3 * 10
