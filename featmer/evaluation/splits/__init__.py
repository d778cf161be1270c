"""Who is trained, validated and tested on what: whole dialogues, speakers or corpora, or the corpus's own parts."""

from featmer.evaluation.splits.checks import check_disjoint
from featmer.evaluation.splits.making import SPLITTERS, make_splits, unit_of
from featmer.evaluation.splits.parts import VALID_SHARE, Rows, Split, Splitter, hold_out
from featmer.evaluation.splits.sessions import BySession
from featmer.evaluation.splits.shift import LabelShift, SpeakerShift
from featmer.evaluation.splits.splitters import ByDialogue, BySpeaker, Official, RandomRows
from featmer.evaluation.splits.transfer import CrossCorpus, LeaveOneCorpusOut, LeaveOneGroupOut

__all__ = [
    "SPLITTERS",
    "VALID_SHARE",
    "ByDialogue",
    "BySession",
    "BySpeaker",
    "CrossCorpus",
    "LabelShift",
    "LeaveOneCorpusOut",
    "LeaveOneGroupOut",
    "Official",
    "RandomRows",
    "Rows",
    "SpeakerShift",
    "Split",
    "Splitter",
    "check_disjoint",
    "hold_out",
    "make_splits",
    "unit_of",
]
