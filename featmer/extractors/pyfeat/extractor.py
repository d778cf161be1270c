"""Facial features by py-feat, in an environment and a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from featmer._checks import check_name
from featmer.extractors.faces import Face, FaceExtractor
from featmer.extractors.models import MissingModelError
from featmer.extractors.pyfeat.fex import ACTION_UNITS, GEOMETRY, LIPS, fex_columns, fex_face
from featmer.extractors.pyfeat.process import FeatProcess, feat_process
from featmer.media import Frame

PYTHON_VARIABLE = "FEATMER_PYFEAT_PYTHON"


class PyFeat(FaceExtractor):
    """Describe faces by py-feat: action units, emotions, gaze and pose; with version 2 valence and arousal too.

    py-feat runs in a child process, one a worker, because its import changes the whole process (number of threads, no
    gradients) and its packages need not fit featmer's: give it an environment of its own,
    ``python -m venv pyfeat; pyfeat/bin/pip install py-feat``, where featmer need not be installed. A picture that
    crashes or hangs it costs a row, not the run.

    **No prediction of py-feat has been checked by featmer's authors**: its weights could not be had where featmer is
    developed. What is tested is all around them: py-feat 2.1.5's own classes with random weights, its columns, and what
    becomes of errors.

    Parameters
    ----------
    detector : {"v2", "v1"}, default="v2"
        ``Detectorv2``, one network for all; or ``Detectorv1`` with the models it names by default (xgb, resmasknet,
        l2cs).
    python : str or None, default=None
        Interpreter of py-feat's environment; None takes the environment variable FEATMER_PYFEAT_PYTHON, or else this
        one.
    weights : path or None, default=None
        A folder of weights by hub repository: ``retinaface_r34/model.safetensors``,
        ``face_multitask_v2/face_multitask_v28.safetensors``, ... What is not there is looked for in py-feat's own
        cache, and else downloaded from https://huggingface.co/py-feat.
    multitask_weights : path or None, default=None
        File of version 2's network; None takes the environment variable FEAT_MULTITASK_WEIGHTS, or else ``weights``.
    device : str, default="cpu"
        What torch calls the device, "cpu" or "cuda".
    threshold : float, default=0.5
        Least score of a face, from 0 to 1.
    timeout : float, default=120.0
        Seconds for a picture, after which py-feat is taken for hung.
    fps : float, default=5.0
        Frames a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with the face; or the frames themselves.
    max_faces : int, default=3
        Faces looked at in a frame, the largest ones.
    policy : str, default="largest"
        Which face is meant where several are seen at once, see `FaceExtractor`.

    Attributes
    ----------
    channels : tuple of str
        ``face.au.AU01`` to ``face.au.AU43``, 20 action units, probabilities from 0 to 1; ``face.emotion.anger``, ...,
        seven probabilities; ``face.valence`` and ``face.arousal`` from -1 to 1 (version 2 only); ``face.pose.pitch``,
        ``yaw``, ``roll`` and ``face.gaze.pitch``, ``yaw`` in degrees. Signs are those of `FaceLandmarks`: pitch is
        positive downwards, yaw to the right of the picture, roll counter-clockwise.

    Notes
    -----
    py-feat is under the MIT licence, but the weights of version 2 are for noncommercial research only.

    References
    ----------
    Cheong et al. (2023), "Py-Feat: Python facial expression analysis toolbox", Affective Science 4.

    Examples
    --------
    >>> extractor = PyFeat(level="frames")
    >>> extractor.names[:2], len(extractor.names)
    (('face.au.AU01', 'face.au.AU02'), 34)
    """

    def __init__(
        self,
        detector: str = "v2",
        *,
        python: str | None = None,
        weights: str | None = None,
        multitask_weights: str | None = None,
        device: str = "cpu",
        threshold: float = 0.5,
        timeout: float = 120.0,
        fps: float = 5.0,
        level: str = "functionals",
        max_faces: int = 3,
        policy: str = "largest",
    ) -> None:
        super().__init__(fps=fps, level=level, max_faces=max_faces, policy=policy)
        self.detector = detector
        self.python = python
        self.weights = weights
        self.multitask_weights = multitask_weights
        self.device = device
        self.threshold = threshold
        self.timeout = timeout

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one face."""
        check_name(self.detector, ("v1", "v2"), "detector")
        return tuple(fex_columns(self.detector))

    @property
    def _columns(self) -> list[str]:
        """Columns of py-feat that are read."""
        return [*(column for column, _ in fex_columns(self.detector).values()), *GEOMETRY, *LIPS]

    def fingerprint(self) -> dict[str, str]:
        """Return the versions and the hashes of all weights, as the process that runs py-feat knows them.

        Returns
        -------
        dict of str to str
            Version of each package, of py-feat and its torch; hash of each file of weights, SHA-256.

        Raises
        ------
        MissingExtra
            If py-feat cannot be imported by the interpreter.
        MissingModelError
            If weights are neither here nor downloadable.
        ValueError
            If py-feat, or these weights, give other channels than are expected.
        """
        versions = super().fingerprint()
        hello = self._process().hello
        self._check_channels(hello)
        return {**versions, **hello["versions"], **hello["weights"]}

    def find(self, frame: Frame) -> list[Face]:
        """Find the faces of one picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        list of Face
            With the detection's score as the quality ``confidence``.
        """
        height, width = frame.image.shape[:2]
        rows = self._process().describe(frame.image, self.timeout)
        named = (dict(zip(self._columns, row, strict=True)) for row in rows.tolist())
        return [fex_face(row, self.detector, width, height) for row in named]

    def _process(self) -> FeatProcess:
        """Return this worker's py-feat."""
        check_name(self.detector, ("v1", "v2"), "detector")
        for name, is_there in (("weights", Path.is_dir), ("multitask_weights", Path.is_file)):
            given = getattr(self, name)
            if given is not None and not is_there(Path(given)):
                kind = "a folder" if name == "weights" else "a file"
                raise MissingModelError(f"Got {name}={str(given)!r}, expected {kind}; there is none.")
        settings: dict[str, Any] = {
            "detector": self.detector,
            "weights": None if self.weights is None else str(self.weights),
            "multitask_weights": None if self.multitask_weights is None else str(self.multitask_weights),
            "device": self.device,
            "threshold": self.threshold,
            "columns": self._columns,
        }
        return feat_process(str(self.python or os.environ.get(PYTHON_VARIABLE) or sys.executable), settings)

    def _check_channels(self, hello: dict[str, Any]) -> None:
        """Raise unless py-feat gives the action units and emotions that the names of the channels promise."""
        missing = sorted(set(self._columns) - set(hello["columns"]))
        emotions = [column for name, (column, _) in fex_columns(self.detector).items() if ".emotion." in name]
        if missing or set(hello["aus"]) != set(ACTION_UNITS) or set(hello["emotions"]) != set(emotions):
            lacking = f", but no {missing}" if missing else ""
            raise ValueError(
                f"py-feat {hello['versions']['py-feat']} with these weights gives the action units {hello['aus']} and "
                f"the emotions {hello['emotions']}{lacking}; expected {list(ACTION_UNITS)} and "
                f"{emotions}: name weights with these heads (py-feat 2.1 loads face_multitask_v28.safetensors)."
            )
