"""Readers of corpora of speech: small trees in the published layouts, and the real ones where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from featmer.corpora import load_crema_d
from featmer.labels import aggregate_votes, penalty_matrix

# CREMA-D


def make_crema_d(root: Path, name: str = "1037_ITS_DIS_XX") -> None:
    """Write the votes of two clips in three channels, and one clip's files."""
    for folder in ("processedResults", "AudioWAV", "VideoFlash"):
        (root / folder).mkdir()
    rows = ['"","A","D","F","H","N","S","fileName","numResponses"']
    for channel, votes in {1: "0,9,1,0,0,0", 2: "0,0,0,0,10,0", 3: "0,5,5,0,0,0"}.items():
        rows += [f'"{channel}00001",{votes},"{name}",10', f'"{channel}00002",0,0,0,8,1,0,"1002_IEO_HAP_HI",9']
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(rows))
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1002,21,"Female","x","y"\n1037,45,"Male","x","y"\n'
    )
    (root / "AudioWAV" / f"{name}.wav").touch()
    (root / "VideoFlash" / f"{name}.flv").touch()


@pytest.mark.parametrize(("channel", "disgust", "neutral"), [("voice", 9, 0), ("face", 0, 10), ("both", 5, 0)])
def test_crema_d_votes_of_a_channel(tmp_path: Path, channel: str, disgust: int, neutral: int) -> None:
    make_crema_d(tmp_path)
    segments = load_crema_d(tmp_path, channel=channel)  # type: ignore[arg-type]
    first, second = (row for _, row in segments.iterrows())
    assert first[["speaker", "session", "sex", "age"]].tolist() == ["1037", 1, "male", 45]
    assert first[["emotion", "text"]].tolist() == ["disgust", "I think I've seen this before."]
    assert first[["audio", "video"]].tolist() == ["AudioWAV/1037_ITS_DIS_XX.wav", "VideoFlash/1037_ITS_DIS_XX.flv"]
    assert first[["votes.disgust", "votes.neutral"]].tolist() == [disgust, neutral]
    assert second[["intensity", "session", "votes.happy"]].tolist() == ["high", 2, 8]
    assert [fault["value"] for fault in segments.attrs["faults"]] == [
        "AudioWAV/1002_IEO_HAP_HI.wav",
        "VideoFlash/1002_IEO_HAP_HI.flv",
    ]


@pytest.mark.parametrize("name", ["1037_ITS_DIS", "1092_ITS_DIS_XX", "1037_ITS_JOY_XX"])
def test_crema_d_says_which_clip_is_called_wrongly(tmp_path: Path, name: str) -> None:
    make_crema_d(tmp_path, name)
    with pytest.raises(ValueError, match=rf"tabulatedVotes\.csv, line 4: the clip '{name}' is not called like"):
        load_crema_d(tmp_path, channel="face")


@pytest.mark.parametrize(
    ("channel", "raters", "majority", "plurality", "meant"),
    [
        ("voice", 9.21, 0.6735, 0.9135, 0.397),
        ("face", 9.63, 0.7421, 0.9368, 0.572),
        ("both", 9.64, 0.7945, 0.9436, 0.629),
    ],
)
def test_crema_d_real(
    shared_data: Callable[[str], Path], channel: str, raters: float, majority: float, plurality: float, meant: float
) -> None:
    segments = load_crema_d(shared_data("CREMA-D_votes"), channel=channel)  # type: ignore[arg-type]
    assert len(segments) == 7442
    assert segments.filter(like="votes.").sum(axis=1).mean() == pytest.approx(raters, abs=0.005)
    for rule, share in {"majority": majority, "plurality": plurality}.items():
        assert aggregate_votes(segments, rule=rule).retention["rows_share"] == pytest.approx(share, abs=5e-5)
    said = aggregate_votes(segments, rule="all", form="soft").values
    shares = [said.at[row, label] for row, label in segments["emotion"].items()]
    assert sum(shares) / len(shares) == pytest.approx(meant, abs=5e-4)
    speakers = segments.groupby("session")["speaker"].agg(set)
    assert [len(found) for found in speakers] == [18, 18, 19, 18, 18]
    assert len(set().union(*speakers)) == 91
    assert segments["sex"].value_counts().index.tolist() == ["male", "female"]
    assert segments[["sex", "age", "text"]].notna().all(axis=None)
    if channel == "voice":
        penalties = penalty_matrix(segments)
        assert penalties.loc["anger", "disgust"] == pytest.approx(0.270, abs=5e-4)
        assert penalties.loc["happy", "sad"] == pytest.approx(0.725, abs=5e-4)
