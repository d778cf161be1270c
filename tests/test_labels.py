"""Label spaces, mappings between them and what they cost, compounds, coordinates and prototypes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer._resources import read_resource
from featmer.labels import (
    LABEL_COORDINATES,
    LABEL_MAPPINGS,
    LABEL_SPACES,
    LabelSpace,
    compound_components,
    compound_probabilities,
    face_prototypes,
    label_coordinates,
    label_similarity,
    map_labels,
    soften_labels,
)

EKMAN = LABEL_SPACES["ekman"].labels
EMOTIONS = LABEL_SPACES["goemotions"].labels
PAIRED = [("c_expr", "ekman"), ("raf_ce", "ekman"), ("plutchik_dyads", "plutchik")]


class TestSpaces:
    @pytest.mark.parametrize(
        "table", ["label_spaces.csv", "label_mappings.csv", "label_coordinates.csv", "au_prototypes.csv"]
    )
    def test_every_row_names_its_source(self, table: str) -> None:
        for row in read_resource(table):
            assert row.get("source" if table != "label_mappings.csv" else "reference"), row

    def test_sizes_are_those_of_the_papers(self) -> None:
        sizes = {"ekman": 6, "ravdess": 8, "meld": 7, "goemotions": 28, "goemotions_polarity": 4, "semeval2018": 11}
        sizes |= {"mahaemotions": 11, "c_expr": 7, "du": 21, "raf_ce": 14, "plutchik": 8, "plutchik_dyads": 24}
        assert {name: len(LABEL_SPACES[name].labels) for name in sizes} == sizes

    def test_an_unknown_name_lists_the_known(self) -> None:
        with pytest.raises(ValueError, match="Unknown label space 'goemotion', did you mean 'goemotions'"):
            map_labels([], "goemotion", "ekman")
        with pytest.raises(ValueError, match="Unknown kind of labels 'multi'"):
            LabelSpace("mine", ("a",), "multi", "me")


class TestMappings:
    @pytest.mark.parametrize("pair", LABEL_MAPPINGS, ids="->".join)
    def test_both_sides_are_labels_of_their_spaces(self, pair: tuple[str, str]) -> None:
        source, target = (LABEL_SPACES[name].labels for name in pair)
        assert set(LABEL_MAPPINGS[pair]) <= set(source)
        for into in LABEL_MAPPINGS[pair].values():
            assert into
            assert set(into) <= set(target)

    def test_every_label_has_one_line_in_a_mapping(self) -> None:
        lines = Counter(
            (row["source"], row["target"], label)
            for row in read_resource("label_mappings.csv")
            for label in row["labels"].split("; ")
        )
        assert max(lines.values()) == 1

    def test_what_is_lost_is_named_and_counted(self) -> None:
        rows = [["love"], ["optimism", "joy"], ["love", "trust"], None, [], ["jov"]]
        mapped = map_labels(pd.Series(rows, index=list("abcdef")), "semeval2018", "ekman")
        assert mapped.labels.to_dict() == {"a": None, "b": ("joy",), "c": None, "d": None, "e": (), "f": None}
        assert mapped.n_lost == 3
        assert mapped.losses.values.tolist() == [
            ["love", 2, 2, "has no counterpart in 'ekman'"],
            ["jov", 1, 1, "is not in 'semeval2018', did you mean 'joy'?"],
            ["optimism", 1, 0, "has no counterpart in 'ekman'"],
            ["trust", 1, 1, "has no counterpart in 'ekman'"],
        ]

    def test_untidy_labels_are_tidied_but_never_guessed(self) -> None:
        mapped = map_labels(["Happiness ", "respect", "NEUTRAL", "happines"], "mahaemotions", "mahaemotions_merged")
        assert mapped.labels.tolist()[:3] == ["happiness", "respect", "neutral"]
        assert pd.isna(mapped.labels[3])
        assert mapped.losses.label.tolist() == ["happines"]

    def test_a_mapping_of_ones_own(self) -> None:
        mine = LabelSpace("mine", ("good", "bad"), "categorical", "made up")
        mapped = map_labels(["joy", "fear", "surprise"], "ekman", mine, {"joy": "good", "fear": "bad", "anger": "bad"})
        assert mapped.labels.tolist()[:2] == ["good", "bad"]
        assert mapped.n_lost == 1
        with pytest.raises(ValueError, match="No mapping is known from 'ekman' to 'mine', only to .*'ekman_neutral'"):
            map_labels(["joy"], "ekman", mine)
        with pytest.raises(ValueError, match="Unknown label of 'mine' 'god', did you mean 'good'"):
            map_labels(["joy"], "ekman", mine, {"joy": "god"})
        with pytest.raises(ValueError, match="Unknown label of 'ekman' 'yoy', did you mean 'joy'"):
            map_labels(["joy"], "ekman", mine, {"yoy": "good"})
        with pytest.raises(TypeError, match="A label is a text or a collection of texts, got 3"):
            map_labels([3], "ekman", "ekman")

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.none() | st.lists(st.sampled_from([*EMOTIONS, "joyy"]), max_size=4), max_size=8))
    def test_laws(self, rows: list[list[str] | None]) -> None:
        mapped = map_labels(rows, "goemotions", "ekman_neutral")
        assert len(mapped.labels) == len(rows)
        annotated = [row for row in rows if row is not None]
        assert mapped.n_lost == sum(bool(row) and set(row) == {"joyy"} for row in annotated)
        assert mapped.losses.rows.sum() == sum("joyy" in row for row in annotated)
        assert mapped.labels.notna().sum() + mapped.n_lost == len(annotated)
        # Row by row, a set at a time, the other way round: all the same.
        for row, found in zip(rows, mapped.labels, strict=True):
            one_by_one = {
                label
                for each in row or ()
                for label in map_labels([[each]], "goemotions", "ekman_neutral").labels[0] or ()
            }
            assert set(found or ()) == one_by_one
        again = map_labels(rows[::-1], "goemotions", "ekman_neutral")
        assert again.labels.tolist()[::-1] == mapped.labels.tolist()
        assert again.losses.equals(mapped.losses)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.lists(st.sampled_from(EMOTIONS), min_size=1, max_size=4), min_size=1, max_size=8))
    def test_two_groupings_of_goemotions_agree(self, rows: list[list[str]]) -> None:
        by_ekman = map_labels(
            map_labels(rows, "goemotions", "ekman_neutral").labels, "ekman_neutral", "goemotions_polarity"
        )
        assert by_ekman.labels.tolist() == map_labels(rows, "goemotions", "goemotions_polarity").labels.tolist()

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from(sorted(LABEL_SPACES)), st.data())
    def test_a_space_maps_to_itself_unchanged(self, name: str, data: st.DataObject) -> None:
        labels = data.draw(st.lists(st.sampled_from(LABEL_SPACES[name].labels)))
        mapped = map_labels(labels, name, name)
        assert mapped.labels.tolist() == labels
        assert mapped.losses.empty

    @pytest.mark.parametrize(("folder", "target"), [("ekman", "ekman_neutral"), ("group", "goemotions_polarity")])
    def test_goemotions_groupings_are_the_authors(
        self, shared_data: Callable[[str], Path], folder: str, target: str
    ) -> None:
        root = shared_data("GoEmotions")

        def read(kind: str) -> list[list[str]]:
            names = (root / kind / "labels.txt").read_text().split()
            numbers = pd.read_csv(root / kind / "test.tsv", sep="\t", header=None, quoting=3, dtype=str)[1]
            return [[names[int(number)] for number in cell.split(",")] for cell in numbers]

        original = read("original")
        assert {label for row in original for label in row} <= set(EMOTIONS)
        mapped = map_labels(original, "goemotions", target)
        assert len(original) == 5427
        assert mapped.n_lost == 0
        assert [set(row) for row in mapped.labels] == [set(row) for row in read(folder)]

    def test_typos_of_meisd_are_reported_with_what_was_meant(self, shared_data: Callable[[str], Path]) -> None:
        emotions = pd.read_csv(shared_data("MEISD") / "MEISD_text.csv")["emotion"]
        losses = map_labels(emotions, "meisd", "meisd").losses.set_index("label")
        assert losses.problem["faer"] == "is not in 'meisd', did you mean 'fear'?"
        assert losses.rows.sum() == losses.rows_lost.sum() < len(emotions) / 100


class TestCompounds:
    def test_the_seven_classes_have_the_pairs_of_the_task(self) -> None:
        assert list(compound_components("c_expr").values()) == [
            ("fear", "surprise"),
            ("joy", "surprise"),
            ("sadness", "surprise"),
            ("disgust", "surprise"),
            ("anger", "surprise"),
            ("sadness", "fear"),
            ("sadness", "anger"),
        ]

    def test_plutchiks_dyads_take_each_pair_but_opposites_once(self) -> None:
        circle = LABEL_SPACES["plutchik"].labels
        dyads = compound_components("plutchik_dyads", "plutchik")
        distances = {}
        for number, (label, (one, other)) in enumerate(dyads.items()):
            steps = abs(circle.index(one) - circle.index(other))
            distances[frozenset((one, other))] = min(steps, 8 - steps)
            assert min(steps, 8 - steps) == number // 8 + 1, label  # eight primary, secondary, tertiary ones
        expected = {frozenset(pair) for pair in combinations(circle, 2)}
        opposite = {frozenset((circle[i], circle[i + 4])) for i in range(4)}
        assert set(distances) == expected - opposite
        assert len(dyads) == 24

    def test_du_compounds_are_pairs_and_the_rest_are_basic(self) -> None:
        pairs = compound_components("du")
        assert len(pairs) == 15
        assert pairs["hatred"] == ("anger", "disgust")
        with pytest.raises(ValueError, match="'angrily disgusted' and 'appalled' are both made of"):
            compound_probabilities(pd.DataFrame(np.full((1, 6), 1 / 6), columns=EKMAN), "du")

    @pytest.mark.parametrize("rule", ["product", "geometric", "minimum"])
    @pytest.mark.parametrize(("compounds", "basic"), PAIRED)
    @settings(max_examples=25, deadline=None)
    @given(st.floats(0, 0.95))
    def test_the_right_pair_is_found_whatever_an_uninvolved_emotion_has(
        self, compounds: str, basic: str, rule: str, mass: float
    ) -> None:
        pairs = compound_components(compounds, basic)
        mixtures = pd.DataFrame(
            [
                {name: (1 - mass) * 0.5 * (name in pair) for name in LABEL_SPACES[basic].labels}
                for pair in pairs.values()
            ]
        ).assign(neutral=mass)
        found = compound_probabilities(mixtures, compounds, basic, rule=rule)
        np.testing.assert_allclose(found, np.eye(len(pairs)), atol=1e-12)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.floats(0.01, 1), min_size=6, max_size=6), st.floats(0, 0.99))
    def test_mass_of_a_third_emotion_leaves_the_order_of_the_other_pairs(
        self, shares: list[float], mass: float
    ) -> None:
        before = pd.DataFrame([np.array(shares) / sum(shares)], columns=EKMAN)
        after = (1 - mass) * before
        after["joy"] += mass
        scores = [compound_probabilities(each).drop(columns="happily surprised") for each in (before, after)]
        ratios = [(each.T / each.sum(axis=1)).T for each in scores]
        np.testing.assert_allclose(ratios[0], ratios[1], rtol=1e-6)
        assert scores[0].sum(axis=1).item() <= 1

    def test_nothing_to_go_by_is_even_and_missing_stays_missing(self) -> None:
        basic = pd.DataFrame([[0.0] * 6, [np.nan] * 6], columns=EKMAN)
        found = compound_probabilities(basic)
        np.testing.assert_allclose(found.loc[0], 1 / 7)
        assert found.loc[1].isna().all()
        with pytest.raises(ValueError, match="Unknown column of a component 'anger'"):
            compound_probabilities(basic.drop(columns="anger"))


class TestCoordinates:
    def test_quadrants(self) -> None:
        places = label_coordinates(["anger", "sadness", "joy", "neutral"])
        assert (places.loc["anger", ["valence", "arousal"]] * [-1, 1] > 0).all()
        assert (places.loc["sadness", ["valence", "arousal"]] < 0).all()
        assert (places.loc["joy", ["valence", "arousal"]] > 0).all()
        assert (places.loc["neutral"] == 0).all()
        with pytest.raises(ValueError, match="Unknown label with coordinates 'jo', did you mean 'joy'"):
            label_coordinates(["jo"])

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.sampled_from(sorted(LABEL_COORDINATES)), min_size=1, unique=True))
    def test_similarity_is_symmetric_and_perfect_with_itself(self, labels: list[str]) -> None:
        similarity = label_similarity(labels)
        np.testing.assert_array_equal(similarity, similarity.T)
        np.testing.assert_array_equal(np.diag(similarity), 1)
        assert similarity.to_numpy().min() >= 0
        soft = soften_labels(labels)
        np.testing.assert_allclose(soft.sum(axis=1), 1)
        assert (soft.idxmax(axis=1) == soft.index).all()


class TestPrototypes:
    def test_core_units_collide_where_the_paper_says(self) -> None:
        core = {label: frozenset(rows[0].core) for label, rows in face_prototypes().items()}
        assert core["sad"] == core["sadly angry"]
        assert core["fearful"] == core["sadly fearful"]
        assert core["sadly disgusted"] == core["appalled"] == core["hatred"]
        assert core["neutral"] == frozenset()
        assert set(LABEL_SPACES["du"].labels) | {"neutral"} | set(EKMAN) == set(core)

    def test_emfacs_has_variants_and_intensities(self) -> None:
        rows = face_prototypes("emfacs")
        assert set(LABEL_SPACES["emfacs"].labels) <= set(rows)
        assert rows["anger"][0].core == ("AU04", "AU05", "AU07", "AU23")
        assert [set(one.core) for one in rows["disgust"]] == [{"AU09", "AU15", "AU16"}, {"AU09", "AU15", "AU17"}]
        assert rows["contempt"][0].intensity == {"AU12": 1, "AU14": 1}
        assert rows["joy"] == rows["happiness"]
        with pytest.raises(ValueError, match="Unknown table of prototypes 'dux', did you mean 'du'"):
            face_prototypes("dux")
