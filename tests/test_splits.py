"""Splits that share no dialogue or speaker, and evidence where they would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold
from sklearn.model_selection import LeaveOneGroupOut as LeaveOneOutOfSklearn

from featmer import FeatureTable
from featmer.evaluation import (
    SPLITTERS,
    ByDialogue,
    BySession,
    BySpeaker,
    CrossCorpus,
    LabelShift,
    LeaveOneGroupOut,
    Official,
    RandomRows,
    SpeakerShift,
)
from featmer.evaluation.splits import Split, check_disjoint, make_splits
from featmer.groups import group_codes


def corpus(n_dialogues: int, n_turns: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n_rows = n_dialogues * n_turns
    return pd.DataFrame(
        {
            "dialogue": np.repeat(rng.permutation(n_dialogues), n_turns),
            "turn": np.tile(np.arange(n_turns), n_dialogues),
            "speaker": rng.choice(list("abcdefgh"), n_rows),
            "emotion": rng.choice(["joy", "fear", "awe"], n_rows, p=[0.7, 0.25, 0.05]),
        }
    )


@settings(max_examples=25, deadline=None)
@given(n_dialogues=st.integers(4, 20), n_turns=st.integers(1, 5), n_splits=st.integers(2, 4), seed=st.integers(0, 99))
def test_by_dialogue_tests_every_row_once_and_shares_nothing(
    n_dialogues: int, n_turns: int, n_splits: int, seed: int
) -> None:
    segments = corpus(n_dialogues, n_turns, seed)
    splits = list(ByDialogue(n_splits, random_state=seed).split(segments, segments["emotion"]))
    assert sorted(np.concatenate([fold.test for fold in splits])) == list(range(len(segments)))
    for fold in splits:
        assert all(len(rows) for rows in fold)
        assert sorted(np.concatenate(fold)) == list(range(len(segments)))
    check_disjoint(segments, splits, by="dialogue")


def test_by_speaker_shares_no_speaker() -> None:
    segments = corpus(20, 6, 0)
    splits = make_splits(BySpeaker(n_splits=4), segments, segments["emotion"])
    assert len(splits) == 4
    check_disjoint(segments, splits, by="speaker")


@pytest.mark.parametrize("splitter", [ByDialogue(3), BySpeaker(3), RandomRows(3)], ids=repr)
def test_the_seed_decides(splitter: ByDialogue) -> None:
    segments = corpus(12, 4, 0)
    once, again = (make_splits(splitter, segments, segments["emotion"]) for _ in range(2))
    other = make_splits(type(splitter)(3, random_state=1), segments, segments["emotion"])
    assert all(
        np.array_equal(a.test, b.test) and np.array_equal(a.valid, b.valid) for a, b in zip(once, again, strict=True)
    )
    assert any(not np.array_equal(a.test, b.test) for a, b in zip(once, other, strict=True))


def test_labels_keep_their_proportion() -> None:
    segments = pd.DataFrame({"dialogue": np.arange(40) // 2, "turn": np.arange(40) % 2})
    labels = np.repeat(["joy", "fear"], [30, 10])
    for fold in ByDialogue(5).split(segments, labels):
        assert (labels[fold.test] == "fear").sum() == 2
    values = np.repeat(np.arange(4.0), 10)
    for fold in ByDialogue(5).split(segments, values):
        assert np.bincount(values[fold.test].astype(int)).tolist() == [2, 2, 2, 2]


def test_official_parts_are_taken_as_they_are(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments
    (fold,) = make_splits("official", segments, segments["emotion"])
    for part, rows in zip(Split._fields, fold, strict=True):
        assert set(segments["split"].iloc[rows]) == {part}
        assert len(rows) == (segments["split"] == part).sum()


def test_official_without_validation_takes_dialogues_of_training(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments.replace({"split": {"valid": "train"}})
    (fold,) = make_splits("official", segments, segments["emotion"])
    assert set(segments["split"].iloc[fold.valid]) == {"train"}
    assert 0.1 < len(fold.valid) / (segments["split"] == "train").sum() < 0.3
    check_disjoint(segments, [fold])


def test_official_parts_must_be_there(tiny_table: FeatureTable) -> None:
    with pytest.raises(ValueError, match="choose 'by_dialogue'"):
        make_splits(Official(), tiny_table.segments.drop(columns="split"))


def test_an_official_split_is_taken_even_where_it_leaks() -> None:
    segments = pd.DataFrame({"dialogue": ["a", "a", "b"], "turn": [0, 1, 0], "split": ["train", "test", "valid"]})
    (fold,) = make_splits("official", segments)
    with pytest.raises(ValueError, match="train and test share 1 dialogue: a"):
        check_disjoint(segments, [fold])


def test_scikit_learns_splitters_and_lists_do_as_well(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments
    for splitter, n_folds in ((GroupKFold(3), 3), (LeaveOneOutOfSklearn(), 24)):
        splits = make_splits(splitter, segments, segments["emotion"])
        assert len(splits) == n_folds
        check_disjoint(segments, splits)
    pairs = [(np.arange(100), np.arange(100, 120))]
    (fold,) = make_splits(pairs, segments)
    assert len(fold.train) + len(fold.valid) == 100
    (same,) = make_splits([fold], segments)
    assert np.array_equal(same.valid, fold.valid)


def test_splitting_dialogues_must_be_asked_for_by_name(tiny_table: FeatureTable) -> None:
    with pytest.raises(ValueError, match=r"train and test share .* dialogues: .*'random_rows'"):
        make_splits([(np.arange(0, 120, 2), np.arange(1, 120, 2))], tiny_table.segments)
    with pytest.warns(UserWarning, match="groups parameter is ignored"), pytest.raises(ValueError, match="share"):
        make_splits(KFold(7), tiny_table.segments)
    splits = make_splits("random_rows", tiny_table.segments, tiny_table.segments["emotion"])
    with pytest.raises(ValueError, match="share"):
        check_disjoint(tiny_table.segments, splits)
    check_disjoint(tiny_table.segments, splits, by="row")


def test_dialogues_of_two_corpora_are_two_dialogues() -> None:
    segments = pd.DataFrame({"corpus": ["x", "y"], "dialogue": [1, 1], "turn": [0, 0]})
    assert len(set(group_codes(segments))) == 2


def test_what_cannot_be_split_says_so(tiny_table: FeatureTable) -> None:
    with pytest.raises(ValueError, match="did you mean 'by_speaker'"):
        make_splits("by_speakers", tiny_table.segments)
    with pytest.raises(ValueError, match="30 folds of 24 groups"):
        make_splits(ByDialogue(30), tiny_table.segments)
    with pytest.raises(ValueError, match="120 of 120 rows have no speaker"):
        make_splits("by_speaker", tiny_table.segments.drop(columns="speaker"))
    with pytest.raises(ValueError, match="gave no fold"):
        make_splits([], tiny_table.segments)


def test_every_splitter_can_be_made_without_arguments(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments.assign(session=tiny_table.segments["dialogue"].str[-1])
    segments["corpus"] = np.where(segments["session"] < "5", "tiny", "small")
    for name in SPLITTERS:
        assert make_splits(name, segments, segments["emotion"])


def test_sessions_are_left_out_one_at_a_time(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments.assign(fold=tiny_table.segments["dialogue"].str[1:].astype(int) % 4)
    folds = make_splits(BySession("fold"), segments)
    for number, fold in enumerate(folds):
        assert [sorted(segments["fold"].iloc[rows].unique()) for rows in (fold.valid, fold.test)] == [
            [(number + 1) % 4],
            [number],
        ]
        assert segments["fold"].iloc[fold.train].nunique() == 2
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(segments)))
    # Rows without a session, as a corpus may have, are in no fold.
    first = segments["dialogue"] == segments["dialogue"].iloc[0]
    partly = make_splits(BySession("fold"), segments.assign(fold=segments["fold"].where(~first)))
    assert sum(len(rows) for rows in partly[0]) == len(segments) - first.sum()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("session", r"No column 'session' among .*BySession\(column=\.\.\.\) takes another"),
        ("corpus", r"Column 'corpus' names \['tiny'\]; need three sessions"),
        ("turn", "train and valid share"),
    ],
)
def test_sessions_that_cannot_be_left_out(tiny_table: FeatureTable, column: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_splits(BySession(column), tiny_table.segments)


def two_corpora(tiny_table: FeatureTable) -> pd.DataFrame:
    other = tiny_table.segments.assign(corpus="other")
    return pd.concat([tiny_table.segments, other], ignore_index=True)


def test_each_group_is_left_out_once(tiny_table: FeatureTable) -> None:
    segments = tiny_table.segments
    folds = make_splits(LeaveOneGroupOut(), segments, segments["emotion"])
    assert [set(segments["speaker"].iloc[fold.test]) for fold in folds] == [{f"s{i}"} for i in range(6)]
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(segments)))
    check_disjoint(segments, folds, by="speaker")
    by_film = segments.assign(film=segments["dialogue"].str[-1])
    folds = make_splits(LeaveOneGroupOut("film"), by_film)
    assert len(folds) == 10
    assert all(len(fold.valid) for fold in folds)
    check_disjoint(by_film, folds)


def test_each_corpus_is_left_out_once(tiny_table: FeatureTable) -> None:
    segments = two_corpora(tiny_table)
    folds = make_splits("leave_one_corpus_out", segments, segments["emotion"])
    for fold, test in zip(folds, ("other", "tiny"), strict=True):
        assert set(segments["corpus"].iloc[fold.test]) == {test}
        assert test not in set(segments["corpus"].iloc[np.concatenate([fold.train, fold.valid])])
    check_disjoint(segments, folds)  # dialogues of two corpora have the same names, and are not the same


def test_from_one_corpus_to_another(tiny_table: FeatureTable) -> None:
    segments = pd.concat([two_corpora(tiny_table), tiny_table.segments.assign(corpus="third")], ignore_index=True)
    (fold,) = make_splits(CrossCorpus(["tiny", "third"], "other"), segments, segments["emotion"])
    assert set(segments["corpus"].iloc[fold.test]) == {"other"}
    assert set(segments["corpus"].iloc[fold.train]) == {"tiny", "third"}
    assert 0.1 < len(fold.valid) / (2 * len(tiny_table)) < 0.3
    assert make_splits(CrossCorpus("other", "tiny", random_state=1), segments)[0].test.max() < len(tiny_table)


def test_transfers_that_cannot_be(tiny_table: FeatureTable) -> None:
    segments = two_corpora(tiny_table)
    with pytest.raises(ValueError, match="Unknown corpus of the rows 'tinny', did you mean 'tiny'"):
        make_splits(CrossCorpus("tinny", "other"), segments)
    with pytest.raises(ValueError, match=r"\['tiny'\] are to train and to test"):
        make_splits(CrossCorpus(["tiny", "other"], "tiny"), segments)
    with pytest.raises(ValueError, match="There is one corpus only"):
        make_splits("leave_one_corpus_out", tiny_table.segments)
    with pytest.raises(ValueError, match="Unknown group 'film'"):
        make_splits(LeaveOneGroupOut("film"), segments)


@settings(max_examples=40, deadline=None)
@given(
    n_dialogues=st.integers(8, 30),
    n_turns=st.integers(1, 6),
    seed=st.integers(0, 99),
    splitter=st.sampled_from([LabelShift(), SpeakerShift(), LabelShift(2, random_state=7)]),
)
def test_a_shift_over_represents_a_label_and_loses_no_row(n_dialogues, n_turns, seed, splitter) -> None:
    segments = corpus(n_dialogues, n_turns, seed)
    segments["speaker"] = np.random.default_rng(seed).choice(list("abcdefgh"), n_dialogues)[segments["dialogue"]]
    emotions = segments["emotion"].to_numpy()
    splits = make_splits(splitter, segments, emotions)
    check_disjoint(segments, splits, by=splitter.by)
    assert len(splits) <= splitter.n_splits
    for fold in splits:
        assert all(len(rows) for rows in fold)
        assert sorted(np.concatenate(fold)) == list(range(len(segments)))
        largest = np.bincount(group_codes(segments, splitter.by)).max()
        assert len(fold.test) < 0.2 * len(segments) + largest
    again = make_splits(splitter, segments, emotions)
    assert all(
        np.array_equal(*parts) for folds in zip(splits, again, strict=True) for parts in zip(*folds, strict=True)
    )


@pytest.mark.parametrize("splitter", [LabelShift(), SpeakerShift()])
def test_a_shift_is_there_and_validation_does_not_know_it(splitter) -> None:
    rng = np.random.default_rng(0)
    mixes = rng.dirichlet([1, 1, 1], 60)  # of three emotions, another in each dialogue, which is one speaker's
    labels = np.concatenate([rng.choice(["fear", "joy", "awe"], 10, p=mix) for mix in mixes])
    segments = pd.DataFrame({"dialogue": np.arange(600) // 10, "turn": np.arange(600) % 10})
    segments["speaker"] = "s" + segments["dialogue"].astype(str)
    shifted = set()
    for fold in make_splits(splitter, segments, labels):
        train, valid, test = (pd.Series(labels[rows]).value_counts(normalize=True) for rows in fold)
        emotion = (test - train).idxmax()
        shifted.add(emotion)
        assert test[emotion] > 2 * train[emotion]
        assert abs(valid - train).max() < 0.12
        assert (labels[fold.test] == emotion).sum() <= (labels == emotion).sum() / 2
    assert shifted == {"fear", "joy", "awe"}
    plain = [fold for fold in make_splits(ByDialogue(), segments, labels)]
    gaps = [abs(np.mean(labels[fold.test] == "joy") - np.mean(labels[fold.train] == "joy")) for fold in plain]
    assert max(gaps) < 0.15, "folds in proportion do not shift"


def test_a_shift_of_values_and_gaps_in_labels() -> None:
    segments = corpus(20, 5, 1)
    values = np.random.default_rng(0).normal(size=100) + segments["dialogue"].to_numpy() / 5
    values[:10] = np.nan
    means = [
        (np.nanmean(values[fold.train]), np.nanmean(values[fold.test]))
        for fold in make_splits("label_shift", segments, values)
    ]
    assert len(means) == 5
    assert any(test > train + 1 for train, test in means)
    assert any(test < train - 1 for train, test in means)
    with pytest.raises(ValueError, match="got none"):
        make_splits("label_shift", segments)
    with pytest.raises(ValueError, match="No label is in two dialogues or more"):
        make_splits("label_shift", segments, segments["dialogue"].astype(str))
