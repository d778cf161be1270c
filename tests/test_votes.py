"""From raters to targets: rules and what they keep, annotators, agreement, confirmed labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.labels import (
    LABEL_SPACES,
    aggregate_votes,
    annotator_report,
    combine_annotators,
    confirm_labels,
    count_cooccurrence,
    count_votes,
    dawid_skene,
    penalty_matrix,
    rater_agreement,
    review_report,
    smooth_targets,
)

LETTERS = ["A", "D", "F", "H", "N", "S"]
NAMES = list("abc")

vote_tables = st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=1, max_size=8)
rating_tables = st.lists(
    st.lists(st.none() | st.lists(st.sampled_from(NAMES), max_size=3, unique=True), min_size=3, max_size=3),
    min_size=1,
    max_size=8,
)


def crema_d(root: Path, kind: int) -> pd.DataFrame:
    """Return the votes on voices (1), faces (2) or both (3), and the intended emotion."""
    rows = pd.read_csv(root / "tabulatedVotes.csv", index_col=0)
    rows = rows[rows.index.astype(str).str[0] == str(kind)]
    return rows[LETTERS].add_prefix("votes.").assign(intended=rows.fileName.str.split("_").str[2].str[0])


class TestAggregateVotes:
    def test_the_worked_example_of_the_dissertation(self) -> None:
        votes = count_votes(pd.DataFrame([["A", "S", "S", "N", "A"]]), ["N", "A", "S", "H"])
        assert aggregate_votes(votes).values.values.tolist() == [[0.2, 0.4, 0.4, 0.0]]
        assert aggregate_votes(votes, form="multilabel").values.values.tolist() == [[0, 1, 1, 0]]
        for rule in ("majority", "plurality"):
            assert not aggregate_votes(votes, rule=rule).kept.any()

    @pytest.mark.parametrize(
        ("kind", "raters", "majority", "plurality", "lost", "n_labels", "intended"),
        [
            (1, 9.21, 0.6735, 0.9135, (0.5024, 0.3945), 1.898, 0.397),
            (2, 9.63, 0.7421, 0.9368, (0.4093, 0.3216), 1.757, 0.572),
            (3, 9.64, 0.7945, 0.9436, (0.3630, 0.2949), 1.692, 0.629),
        ],
    )
    def test_the_retention_table_of_crema_d(
        self, shared_data: Callable[[str], Path], kind, raters, majority, plurality, lost, n_labels, intended
    ) -> None:
        votes = crema_d(shared_data("CREMA-D_votes"), kind)
        by_majority, by_plurality = (
            aggregate_votes(votes, rule=rule, form="hard").retention for rule in ("majority", "plurality")
        )
        assert len(votes) == by_majority.rows == 7442
        assert by_majority.votes / by_majority.rows == pytest.approx(raters, abs=0.0051)  # 9.645 is given as 9.64
        assert by_majority.rows_share.round(4) == majority
        assert by_plurality.rows_share.round(4) == plurality
        assert (1 - by_majority.votes_share.round(4), 1 - by_plurality.votes_share.round(4)) == pytest.approx(lost)
        everything = aggregate_votes(votes)
        assert everything.retention.rows_share == everything.retention.votes_share == 1
        chosen = aggregate_votes(votes, form="multilabel").values.sum(axis=1)
        assert chosen.mean().round(3) == n_labels
        places = [LETTERS.index(letter) for letter in votes.intended]
        assert everything.values.to_numpy()[np.arange(7442), places].mean().round(3) == intended

    def test_emotionlines_labels_are_its_majorities(self, shared_data: Callable[[str], Path]) -> None:
        dialogues = json.loads((shared_data("EmotionLines_Friends_votes") / "friends_dev.json").read_text("utf-8"))
        turns = pd.DataFrame([turn for dialogue in dialogues for turn in dialogue])
        votes = np.array([list(digits) for digits in turns.annotation], int)
        targets = aggregate_votes(votes, rule="majority", form="hard", labels=LABEL_SPACES["emotionlines"].labels)
        assert targets.values.reindex(turns.index).fillna("non-neutral").tolist() == turns.emotion.tolist()
        assert targets.retention.rows == 1178

    @settings(max_examples=50, deadline=None)
    @given(vote_tables)
    def test_laws(self, table: list[list[int]]) -> None:
        votes = np.array(table)
        kept = {rule: aggregate_votes(votes, rule=rule, labels=NAMES).kept for rule in ("majority", "plurality", "all")}
        assert not (kept["majority"] & ~kept["plurality"]).any()
        assert not (kept["plurality"] & ~kept["all"]).any()
        np.testing.assert_array_equal(kept["all"], votes.any(axis=1))
        soft = aggregate_votes(votes, labels=NAMES).values
        np.testing.assert_allclose(soft.sum(axis=1), 1)
        np.testing.assert_array_equal(aggregate_votes(votes * 7, labels=NAMES).values, soft)
        hard = aggregate_votes(votes, form="hard", labels=NAMES)
        best = votes[kept["all"]].max(axis=1) if kept["all"].any() else votes[:0, 0]
        assert [table[row][NAMES.index(label)] for row, label in hard.values.items()] == best.tolist()
        several = aggregate_votes(votes, form="multilabel", labels=NAMES)
        # Exactly one third is not more than one third.
        assert several.values.sum(axis=1).eq(0).tolist() == [len({*row}) == 1 for row in votes[kept["all"]].tolist()]
        each = aggregate_votes(votes, form="each", labels=NAMES).values
        assert each.votes.sum() == votes.sum()
        assert hard.retention.votes_kept <= each.votes.sum()

    def test_equals_are_drawn_by_seed_and_evenly(self) -> None:
        votes = pd.DataFrame({"votes.joy": [2.0] * 2000, "votes.fear": 2.0, "votes.anger": 1.0})
        drawn = aggregate_votes(votes, form="hard", random_state=1).values
        assert drawn.equals(aggregate_votes(votes, form="hard", random_state=1).values)
        assert not drawn.equals(aggregate_votes(votes, form="hard", random_state=2).values)
        assert set(drawn) == {"joy", "fear"}
        assert drawn.eq("joy").mean() == pytest.approx(0.5, abs=0.05)

    def test_segments_keep_their_index_and_rows_without_votes_are_missing(self) -> None:
        segments = pd.DataFrame({"turn": range(3), "votes.joy": [3, None, 1], "votes.fear": [1, None, 1]}, list("xyz"))
        targets = aggregate_votes(segments, rule="plurality", form="hard")
        assert targets.values.to_dict() == {"x": "joy"}
        assert targets.kept.to_dict() == {"x": True, "y": False, "z": False}
        assert targets.retention[["rows", "rows_kept", "votes", "votes_kept"]].tolist() == [2, 1, 6, 3]
        each = aggregate_votes(segments, form="each").values
        assert each.to_dict("split")["data"] == [["joy", 3.0], ["fear", 1.0], ["joy", 1.0], ["fear", 1.0]]
        assert each.index.tolist() == list("xxzz")

    def test_bad_input_is_named(self) -> None:
        with pytest.raises(ValueError, match="Unknown rule 'majorty', did you mean 'majority'"):
            aggregate_votes([[1, 0]], rule="majorty", labels=["a", "b"])
        with pytest.raises(ValueError, match="Unknown form of targets 'sofd', did you mean 'soft'"):
            aggregate_votes([[1, 0]], form="sofd", labels=["a", "b"])
        with pytest.raises(ValueError, match=r"No column of votes among \['joy'\]: expected votes.<label>"):
            aggregate_votes(pd.DataFrame({"joy": [1]}))
        with pytest.raises(ValueError, match=r"needs its labels, one a column: got \(1, 2\) and \['a'\]"):
            aggregate_votes([[1, 0]], labels=["a"])
        with pytest.raises(ValueError, match="some are negative"):
            aggregate_votes([[1, -1]], labels=["a", "b"])
        with pytest.raises(ValueError, match="DataFrame, which has its own"):
            aggregate_votes(pd.DataFrame({"votes.joy": [1]}), labels=["joy"])
        with pytest.raises(ValueError, match="Unknown label of a rater 'jo', did you mean 'joy'"):
            count_votes(pd.DataFrame({"Ann": ["jo"]}), ["joy", "fear"])


class TestSmoothingAndPenalties:
    @settings(max_examples=25, deadline=None)
    @given(vote_tables, st.floats(0.01, 0.5))
    def test_smoothing_keeps_distributions_and_can_be_undone(self, table: list[list[int]], amount: float) -> None:
        soft = aggregate_votes(table, labels=NAMES).values
        smooth = smooth_targets(soft, amount)
        np.testing.assert_allclose(smooth.sum(axis=1), 1)
        np.testing.assert_allclose((smooth - amount / 2) / (1 - amount - amount / 2), soft, atol=1e-9)

    def test_penalties_of_crema_d(self, shared_data: Callable[[str], Path]) -> None:
        votes = crema_d(shared_data("CREMA-D_votes"), 1)
        together = count_cooccurrence(votes)
        assert np.diag(together).tolist() == [3032, 4101, 3437, 1910, 6380, 3209]
        assert (together.loc["A", "D"], together.loc["H", "S"]) == (2214, 525)
        penalties = penalty_matrix(votes).round(3)
        assert (penalties.loc["A", "D"], penalties.loc["H", "S"], penalties.loc["A", "S"]) == (0.270, 0.725, 0.751)
        assert (np.diag(penalties) == 0).all()

    def test_labels_that_always_go_together_cost_nothing(self) -> None:
        penalties = penalty_matrix([[1, 2, 0, 0], [2, 1, 1, 0]], ["anger", "disgust", "joy", "pride"])
        assert penalties.loc["anger"].tolist() == [0, 0, 0.5, 1]
        assert penalties.loc["pride"].tolist() == [1, 1, 1, 0]


class TestAnnotators:
    @settings(max_examples=50, deadline=None)
    @given(rating_tables, st.data())
    def test_set_laws(self, table: list[list[list[str] | None]], data: st.DataObject) -> None:
        ratings = pd.DataFrame([pd.Series(row, ["x", "y", "z"], dtype=object) for row in table])
        union, intersection, majority = (
            combine_annotators(ratings, rule) for rule in ("union", "intersection", "majority")
        )
        for row in range(len(table)):
            given_sets = [set(each) for each in table[row] if each is not None]
            if not given_sets:
                assert union[row] is None
                continue
            for each in given_sets:
                assert set(intersection[row]) <= each <= set(union[row])
            assert set(intersection[row]) <= set(majority[row]) <= set(union[row])
        gold = data.draw(st.lists(st.sampled_from(NAMES), min_size=len(table), max_size=len(table)))
        if any(each for row in table for each in row):
            report = annotator_report(ratings, gold)
            assert report.hits["union"] >= report.hits[["x", "y", "z"]].max()
            assert report.coverage["union"] >= report.coverage.drop("dawid_skene").max()
            assert report.coverage["intersection"] <= 1

    def test_abstaining_is_not_being_absent(self) -> None:
        ratings = pd.DataFrame({"x": ["joy", [], None], "y": ["fear", None, None]})
        assert combine_annotators(ratings, "intersection").tolist() == [(), (), None]
        assert combine_annotators(ratings, "dawid_skene").tolist()[1:] == [(), None]
        with pytest.raises(ValueError, match="Unknown rule 'unoin', did you mean 'union'"):
            combine_annotators(ratings, "unoin")
        with pytest.raises(ValueError, match="Nobody annotated anything"):
            dawid_skene(ratings[2:])

    @pytest.mark.parametrize("seed", range(3))
    def test_dawid_skene_finds_the_confusions_and_beats_the_majority(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        labels = np.array(["anger", "fear", "joy", "sadness"])
        truth = rng.choice(4, 2000, p=[0.4, 0.2, 0.3, 0.1])
        confusions = [0.35 * rng.dirichlet(np.ones(4), 4) + 0.65 * np.eye(4) for _ in range(4)]
        confusions.append(0.7 * np.roll(np.eye(4), 1, axis=1) + 0.075)  # who mostly says the next label
        said = {f"r{i}": labels[[rng.choice(4, p=each[t]) for t in truth]] for i, each in enumerate(confusions)}
        ratings = pd.DataFrame(said).mask(rng.random((2000, 5)) < 0.1)
        found = dawid_skene(ratings)
        errors = [np.abs(found.confusion[f"r{i}"] - each).to_numpy().mean() for i, each in enumerate(confusions)]
        assert np.mean(errors) < 0.05
        assert np.abs(found.prior.to_numpy() - np.bincount(truth) / 2000).max() < 0.03
        assert (np.diff(found.log_likelihood) > -1e-6).all()
        right = labels[truth]
        by_votes = aggregate_votes(count_votes(ratings), form="hard").values
        best = found.probabilities.dropna().idxmax(axis=1)
        assert best.index.equals(by_votes.index)
        assert (best == right[best.index]).mean() > (by_votes == right[by_votes.index]).mean() + 0.02

    def test_a_label_is_told_twice_or_by_two(self) -> None:
        twice = pd.DataFrame({"x": [["joy", "fear"], "joy"], "y": ["joy", "joy"]})
        assert dawid_skene(twice).probabilities.idxmax(axis=1).tolist() == ["joy", "joy"]


class TestReview:
    def test_agreement_is_krippendorffs(self, shared_data: Callable[[str], Path]) -> None:
        pytest.importorskip("krippendorff", reason="agreement needs krippendorff: pip install 'featmer[raters]'")
        # Krippendorff (2011), Computing Krippendorff's alpha-reliability, example C: 4 observers, 12 units, gaps.
        observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
        ratings = pd.DataFrame([list(observer) for observer in observers]).T.replace(".", None)
        assert rater_agreement(count_votes(ratings)) == pytest.approx(0.743, abs=5e-4)
        assert rater_agreement([[3, 0], [0, 2], [1, 0]], ["a", "b"]) == 1
        assert np.isnan(rater_agreement([[3, 0], [2, 0]], ["a", "b"]))
        root = shared_data("CREMA-D_votes")
        voice, face, both = (rater_agreement(crema_d(root, kind)) for kind in (1, 2, 3))
        assert voice < face < both
        assert voice == pytest.approx(0.2811, abs=5e-5)

    @pytest.mark.parametrize("n_labels", [2, 6])
    def test_a_crowd_of_models_filters_flipped_claims(self, n_labels: int) -> None:
        claims, judges, clean = _claims(0, 4000, flipped=0.3, accuracy=0.8, n_labels=n_labels)
        report = review_report(confirm_labels(claims, judges, min_votes=2), clean)
        assert 1 - report.precision < 0.12
        assert report.recall > 0.8
        assert 1 - clean.mean() == pytest.approx(0.3, abs=0.03)

    @pytest.mark.parametrize("seed", range(3))
    def test_more_votes_are_more_precise_and_keep_less(self, seed: int) -> None:
        claims, judges, clean = _claims(seed, 4000, flipped=0.3, accuracy=0.6, n_labels=3, n_judges=4)
        reports = [review_report(confirm_labels(claims, judges, min_votes=m), clean) for m in range(5)]
        precision, recall = (np.array([report[name] for report in reports]) for name in ("precision", "recall"))
        assert (np.diff(precision) > 0).all()
        assert (np.diff(recall) < 0).all()
        strict = review_report(confirm_labels(claims, judges, min_votes=1, min_score=0.6), clean)
        assert strict.precision > precision[1]

    def test_who_abstains_does_not_vote(self) -> None:
        claims = pd.Series(["joy", "joy", None], list("abc"))
        sure = pd.DataFrame({"joy": [0.9, 0.9, 0.5], "fear": [0.1, 0.1, 0.5]}, list("abc"))
        absent = sure.assign(joy=[np.nan, 0.2, 0.5], fear=[np.nan, 0.8, 0.5])
        assert confirm_labels(claims, [sure, absent], min_votes=1, min_score=0.6).to_dict() == {
            "a": True,
            "b": False,
            "c": False,
        }
        assert confirm_labels(claims, [sure, absent], min_votes=0).tolist() == [True, True, False]
        with pytest.raises(ValueError, match="A judge has 2 rows, but there are 3 claims"):
            confirm_labels(claims, [sure[:2]], min_votes=1)
        with pytest.raises(ValueError, match="Unknown label of a judge 'joy'"):
            confirm_labels(claims, [sure[["fear"]]], min_votes=1)
        assert np.isnan(review_report([False], [True]).precision)


def _claims(seed, n_rows, *, flipped, accuracy, n_labels, n_judges=3):
    """Return claims of which some are flipped, judges that err independently, and which claims are clean."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_labels, size=n_rows)

    def erring(share: float) -> np.ndarray:
        return np.where(rng.random(n_rows) < share, (truth + rng.integers(1, n_labels, n_rows)) % n_labels, truth)

    claimed = erring(flipped)
    names = [f"emotion {i}" for i in range(n_labels)]
    judges = []
    for _ in range(n_judges):
        scores = rng.dirichlet(np.ones(n_labels), n_rows) + np.eye(n_labels)[erring(1 - accuracy)]
        judges.append(pd.DataFrame(scores / 2, columns=names))
    return pd.Series(np.array(names)[claimed]), judges, claimed == truth
