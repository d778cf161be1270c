"""One page of all runs so far: ``python experiments/compare.py``, or of other folders too: ``results=[a,b]``."""

from __future__ import annotations

from pathlib import Path

import hydra
from omegaconf import DictConfig

from featmer.report import find_table, load_results, over_corpora, write_page


@hydra.main(version_base=None, config_path="../conf", config_name="compare")
def main(config: DictConfig) -> None:
    """Write a page for each corpus, target, protocol and set of features; the largest comparison is named last."""
    found = load_results(config.results)
    corpora = over_corpora(found)
    for comparison in found:
        folder = Path(config.output).resolve() / "pages" / comparison.name
        table = find_table(Path(config.output) / "tables", comparison.predictions)
        results, predictions = comparison.results, comparison.predictions
        print(write_page(results, predictions, folder, title=comparison.name, table=table, corpora=corpora))


if __name__ == "__main__":
    main()
