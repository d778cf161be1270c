"""What faces of an emotion do: prototypes in action units, from the literature."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from featmer._checks import check_name
from featmer._resources import read_resource
from featmer.labels.mapping import LABEL_MAPPINGS


class FacePrototype(NamedTuple):
    """One way in which a face shows an emotion.

    Attributes
    ----------
    core : tuple of str
        Action units that make it: ``("AU12", "AU25")``.
    secondary : dict of str to float
        Action units that some show as well, with the share of people who do.
    intensity : dict of str to int
        The least intensity of a core action unit where the source asks for one: 1 for A, a trace, to 5 for E.
    """

    core: tuple[str, ...]
    secondary: dict[str, float]
    intensity: dict[str, int]


def face_prototypes(table: str = "du") -> dict[str, list[FacePrototype]]:
    """Return the prototypes of each emotion.

    Parameters
    ----------
    table : {"du", "emfacs"}, default="du"
        "du": the 21 categories, basic and compound, that Du et al. found in posed faces of 230 people, and the neutral
        face; core action units were there in more than 70 % of them. "emfacs": seven basic emotions after Ekman and
        Friesen, some with several prototypes.

    Returns
    -------
    dict of str to list of FacePrototype
        By the label of the table, and by the label of `LABEL_SPACES` "ekman" that stands for it alone: Du's "happy"
        is "joy", too.

    Raises
    ------
    ValueError
        If the table is unknown.

    References
    ----------
    Du, Tao, Martinez: Compound facial expressions of emotion. PNAS, 2014, table 1.
    Ekman, Friesen: EMFACS-7: emotional facial action coding system, 1983.

    Examples
    --------
    >>> face_prototypes()["joy"]
    [FacePrototype(core=('AU12', 'AU25'), secondary={'AU06': 0.51}, intensity={})]
    >>> face_prototypes("emfacs")["surprise"][0].intensity
    {'AU05': 2}
    """
    rows = read_resource("au_prototypes.csv")
    check_name(table, {row["table"] for row in rows}, "table of prototypes")
    found: dict[str, list[FacePrototype]] = defaultdict(list)
    for row in rows:
        if row["table"] == table:
            found[row["label"]].append(_prototype(row["core"], row["secondary"]))
    for label, into in LABEL_MAPPINGS[table, "ekman"].items():
        if len(into) == 1:
            found[into[0]] = found[label]
    return dict(found)


def _prototype(core: str, secondary: str) -> FacePrototype:
    """Return the prototype that a row of the table writes as ``AU01 AU05:B`` and ``AU26:0.33``."""
    units = [unit.partition(":") for unit in core.split()]
    shares = [unit.partition(":") for unit in secondary.split()]
    return FacePrototype(
        tuple(name for name, _, _ in units),
        {name: float(share) for name, _, share in shares},
        {name: "ABCDE".index(letter) + 1 for name, _, letter in units if letter},
    )
