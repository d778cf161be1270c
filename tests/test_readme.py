"""What the README says, runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from featmer.media import write_audio

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("demo_extraction")  # the cache is full, as it is for someone who runs the tour again
def test_the_tour_and_the_recipes_run(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(workplace)
    names: dict[str, object] = {"__name__": "readme"}
    for block in re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "majority" in printed
    assert names["crossings"].shape[1] == 1
    assert set(names["summed"].predict(names["test"])) <= set(names["summed"].classes_)
    write_audio(workplace / "d1_0_jyo.wav", [0.1] * 1600, 16000)
    assert names["load_mine"](workplace)["emotion"].tolist() == ["joy"]


def test_the_commands_set_everything_up() -> None:
    for mark, last in (("run", ".venv/bin/python experiments/run.py"), ("tests", ".venv/bin/pytest")):
        (command,) = re.findall(rf"^<!-- {mark} -->\n```bash\n(.*)\n```$", README, re.MULTILINE)
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt")
        assert command.endswith(last)


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = [line for line in script.splitlines() if line.startswith("command=")]
    done = subprocess.run(
        ["bash", "-c", f"{line}\necho $command"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(".venv/bin/pytest")


def test_the_manifest_table_of_the_readme_is_readable(tmp_path: Path) -> None:
    from featmer.corpora import load_manifest

    columns = re.findall(r"^\| ((?:`\w+`(?:, )?)+)", README.split("## Your own data")[1].split("##")[0], re.MULTILINE)
    names = [name for cell in columns for name in re.findall(r"`(\w+)`", cell)]
    assert {"dialogue", "turn", "speaker", "video", "audio", "start", "end", "text", "split"} <= set(names)
    row = {"dialogue": "d", "turn": 0, "speaker": "s", "text": "hello", "split": "train", "emotion": "joy"}
    pd.DataFrame([row]).to_csv(tmp_path / "mine.csv", index=False)
    assert load_manifest(tmp_path / "mine.csv")["split"].tolist() == ["train"]
