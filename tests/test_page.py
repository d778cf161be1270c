"""The page in a real browser: it sorts, filters, opens dialogues, asks nobody for anything, and text stays text."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import Block, BoostedClassifier, BoostedRegressor, FeatureTable, evaluate
from featmer.report import write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")

expect = playwright.expect

ATTACK = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"
ARABIC, HEBREW = "لا أصدق أنك نسيت عيد ميلادي!", "אני כל כך שמח"
# Nothing of the browser's own may look like a request of the page.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]

Visit = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def make_results(table: FeatureTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return four models on hostile data, one of them broken, with two conditions and an audit."""
    models = {
        ATTACK: make_pipeline(SimpleImputer(), LogisticRegression()),
        "forest": make_pipeline(SimpleImputer(), RandomForestClassifier(8)),
        "broken": LogisticRegression(),
    }
    results, predictions = evaluate(models, table, seeds=(0, 1), n_bootstrap=0, return_predictions=True, progress=False)
    runs = [
        results.assign(value=results["value"] * (1 - 0.5 * rate), condition=f"{IMAGE} missing", rate=rate)
        for rate in (0.5, 1.0)
    ]
    results = results.assign(selection="valid")
    audit = results.assign(value=results["value"] + 0.03, selection="test")
    return pd.concat([results, *runs, audit], ignore_index=True).assign(corpus="meld"), predictions


def make_tracks(table: FeatureTable) -> dict[str, Block]:
    rng = np.random.default_rng(0)
    voice = [rng.random((int(length), 2)) + 1 for length in rng.integers(5, 40, len(table))]
    times = [np.arange(len(frames)) / 20 for frames in voice]
    names = ["audio.lld.F0semitone", "audio.lld.Loudness"]
    face = Block(rng.random((len(table), 2)), ["face.au.AU12_mean", "face.au.AU04_mean"])
    return {"voice": Block(voice, names, times=times), "face": face}


@pytest.fixture(scope="module")
def page_path(tiny_table: FeatureTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    renamed = {"emotion": {"anger": "<b>anger</b>"}, "speaker": {"s0": IMAGE, "s1": ARABIC}}
    segments = tiny_table.segments.replace(renamed)
    words = [ATTACK, ARABIC, HEBREW, "plain words", f"</script>{IMAGE}"]
    segments["text"] = [words[turn] for turn in segments["turn"]]
    segments["audio"] = "a #1 & é.wav"
    with wave.open(str(folder / "a #1 & é.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 4000, "NONE", ""))
        sound.writeframes(bytes(8000))
    results, predictions = make_results(FeatureTable(segments, tiny_table.blocks))
    segments = segments.assign(corpus="tiny")
    segments.attrs["root"] = str(folder)
    table = FeatureTable(segments, make_tracks(tiny_table))
    return write_page(results, predictions, folder / "out", title=f"Title {ATTACK}", table=table)


@pytest.fixture
def visit(chromium: Any, page_path: Path) -> Iterator[Visit]:
    """Open the page; afterwards, nothing may have been said on the console, asked of the network or alerted."""
    heard: list[str] = []
    contexts = []

    def open_page(path: Path = page_path, **settings: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1200, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (heard.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: heard.append(request.url) if not is_own(request.url) else None)
        page.goto(path.as_uri())
        if settings.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    def is_own(url: str) -> bool:
        return url.startswith(("data:", "blob:")) or url.endswith((".wav", "/leaderboard.html"))

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def column(page: Any, table: str, number: int) -> list[str]:
    """Return the texts of a column."""
    cells = page.locator(f"{table} tbody tr > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_it_sorts_by_click_and_by_key_and_gaps_stay_last(visit: Visit) -> None:
    page = visit()
    models = column(page, "#board", 2)
    assert models[-2:] == ["majority", "broken"]
    head = page.locator("#board thead th", has_text="log loss")
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    place = head.evaluate("head => head.cellIndex") + 1
    up = [float(text) for text in column(page, "#board", place) if text]
    assert up == sorted(up)
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    down = column(page, "#board", place)
    assert [float(text) for text in down if text] == up[::-1]
    assert down[-1] == ""
    assert column(page, "#board", 2)[-1] == "broken"
    head = page.locator("#board thead th", has_text="model")
    head.click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    names = column(page, "#board", 2)
    assert names == sorted(names, key=str.lower)


def test_it_filters_and_hides_columns(visit: Visit) -> None:
    page = visit()
    rows = page.locator("#board tbody tr")
    page.get_by_label("Find").first.fill("forest")
    expect(rows).to_have_count(1)
    assert column(page, "#board", 2) == ["forest"]
    page.get_by_label("Find").first.fill("")
    expect(rows).to_have_count(4)
    heads = page.locator("#board thead th")
    shown = heads.count()
    page.get_by_role("button", name="Columns").click()
    page.locator(".dt-button-collection button", has_text="validation").click()
    page.keyboard.press("Escape")
    expect(heads).to_have_count(shown - 1)


def test_the_audit_stands_beside_and_is_marked(visit: Visit) -> None:
    page = visit()
    heads = page.locator("#board thead th").all_inner_texts()
    place = heads.index("picked on test (audit)") + 1
    scores = [float(text) for text in column(page, "#board", 3) if text]
    picked = [float(text) for text in column(page, "#board", place) if text]
    assert np.allclose(np.subtract(picked, scores), 0.03, atol=0.0011)
    assert set(column(page, "#board", place + 1)) == {"+0.030", ""}
    assert page.locator("#board td.audit").count() == 8
    page.get_by_text("How to read this").click()
    assert page.get_by_text("is no result but an audit").is_visible()


def test_published_figures_stand_apart(visit: Visit) -> None:
    page = visit()
    block = page.locator("#published")
    assert block.get_by_text("not measured here").is_visible()
    assert "COSMIC" in column(page, "#published-table", 1)
    assert "COSMIC" not in page.locator("#board").inner_text()
    block.get_by_label("Find").fill("DGODE")
    expect(page.locator("#published-table tbody tr", has_text="COSMIC")).to_have_count(0)
    assert {"DGODE"} < set(column(page, "#published-table", 1))
    assert all("DGODE" in row for row in page.locator("#published-table tbody tr").all_inner_texts())


def test_it_opens_dialogues(visit: Visit) -> None:
    page = visit()
    assert page.locator("#dialogue option").count() == 24
    page.select_option("#dialogue", label="d07 (5 turns)")
    assert column(page, "#turns", 1) == ["0", "1", "2", "3", "4"]
    assert column(page, "#turns", 3) == [ATTACK, ARABIC, HEBREW, "plain words", f"</script>{IMAGE}"]
    page.get_by_role("button", name="Next").click()
    assert page.locator("#dialogue").evaluate("list => list.selectedOptions[0].textContent") == "d08 (5 turns)"
    page.get_by_role("button", name="Previous").press("Enter")
    assert page.locator("#dialogue").evaluate("list => list.selectedIndex") == 7
    page.fill("#find", "d11 plain")
    assert page.locator("#explorer-said").inner_text() == "1 of 24 dialogues"
    assert page.locator("#dialogue option").all_inner_texts() == ["d11 (5 turns)"]
    page.fill("#find", "said by nobody")
    assert page.locator("#explorer-said").inner_text() == "0 of 24 dialogues"


def test_models_are_chosen_and_compared(visit: Visit, page_path: Path) -> None:
    page = visit()
    heads = page.locator("#turns thead th").all_inner_texts()
    assert {ATTACK, "forest", "majority"} < set(heads)
    page.get_by_label("majority", exact=True).uncheck()
    assert "majority" not in page.locator("#turns thead th").all_inner_texts()
    page.select_option("#which", "wrong")
    expect(page.locator("#turns td.wrong").first).to_be_visible()
    assert page.locator("#turns td.wrong .mark").first.get_attribute("aria-label") == "wrong"
    bars = page.locator("#answers [aria-roledescription=bar]")
    expect(page.locator("#answers [aria-label*=majority]")).to_have_count(0)
    labels = bars.evaluate_all("bars => bars.map((bar) => bar.getAttribute('aria-label'))")
    assert any("model: gold" in label for label in labels)
    assert any("model: forest" in label for label in labels)
    assert not any("majority" in label for label in labels)


def test_tracks_and_media(visit: Visit) -> None:
    page = visit()
    words = page.locator("#tracks").inner_text()
    for said in ("AU12 lip corner puller", "F0", "Loudness", "action units", "pitch", "energy", "seconds"):
        assert said in words
    page.get_by_role("button", name="play turn 3").click()
    sound = page.locator("#turns audio")
    assert sound.get_attribute("src") == "../a%20%231%20%26%20%C3%A9.wav"
    page.wait_for_function("document.querySelector('#turns audio').duration > 0.4")


def test_charts_answer_to_their_lists(visit: Visit) -> None:
    page = visit()
    chart = page.locator("[data-chart=confusion]")
    before = chart.locator("svg").inner_html()
    chart.locator("select").first.select_option("majority")
    expect(chart.locator("svg text", has_text="majority")).to_have_count(1)
    assert chart.locator("svg").inner_html() != before
    names = page.locator("[data-chart]").evaluate_all("places => places.map((place) => place.dataset.chart)")
    assert names == [
        "scores",
        "ranks",
        "f1_by_label",
        "confusion",
        "calibration",
        "risk_coverage",
        "cost",
        "robustness",
    ]
    for name in names:
        assert page.locator(f"[data-chart={name}] svg").get_attribute("class") == "marks", name
    areas = page.locator("#robustness table").inner_text()
    assert f"{IMAGE} missing" in areas


def test_text_stays_text(visit: Visit) -> None:
    page = visit()
    for dialogue in range(0, 24, 6):
        page.select_option("#dialogue", str(dialogue))
    assert page.locator("h1").inner_text() == f"Title {ATTACK}"
    assert ATTACK in column(page, "#board", 2)
    assert page.locator("main :is(script, img, b, iframe, object)").count() == 0
    assert page.locator("svg :is(script, image, foreignObject, a)").count() == 0
    said = set(page.locator("#turns .said bdi").all_inner_texts())
    assert any("<b>anger</b>" in text for text in said) or page.locator("#answers svg").inner_text()
    assert "<b>anger</b>" in page.locator("[data-chart=f1_by_label]").inner_text()
    page.locator("[data-chart=scores] path[aria-label]").first.hover(force=True)


def test_words_from_right_to_left(visit: Visit) -> None:
    page = visit()
    direction = "cell => getComputedStyle(cell).direction"
    cells = page.locator("#turns td.text")
    assert [cells.nth(turn).evaluate(direction) for turn in (1, 2, 3)] == ["rtl", "rtl", "ltr"]
    assert page.locator("main").evaluate(direction) == "ltr"


@pytest.mark.parametrize(("scheme", "options"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
def test_axe_finds_nothing_to_mend(visit: Visit, scheme: str, options: dict[str, Any]) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="pip install axe-core-python")
    found = axe.Axe().run(visit(color_scheme=scheme), options=options)["violations"]
    assert [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in found] == []


def test_it_is_dark_where_asked_and_light_on_paper(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    point = "[...document.querySelectorAll('[data-chart=scores] path')].map((mark) => getComputedStyle(mark).fill)"
    assert page.evaluate(ground) == "rgb(20, 24, 31)"
    assert "rgb(88, 183, 221)" in page.evaluate(point)
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    assert "rgb(15, 107, 143)" in page.evaluate(point)
    assert not page.locator("nav").is_visible()
    assert not page.locator("#explorer-tools").is_visible()
    assert page.locator("#board tbody tr").count() == 4


@pytest.mark.parametrize("target", ["valence", "labels."])
def test_other_targets_have_dialogues_too(visit: Visit, tiny_table: FeatureTable, tmp_path: Path, target: str) -> None:
    segments = tiny_table.segments.copy()
    for label in ("joy", "anger"):
        segments[f"labels.{label}"] = ((segments["emotion"] == label) | (segments["turn"] == 1)).astype(int)
    model = BoostedRegressor(n_estimators=3) if target == "valence" else BoostedClassifier(n_estimators=3)
    found = evaluate(
        {"boosted": model},
        FeatureTable(segments, tiny_table.blocks),
        target=target,
        splitter="official",
        n_bootstrap=0,
        return_predictions=True,
        progress=False,
    )
    page = visit(write_page(*found, tmp_path))
    assert page.locator("#turns thead th").all_inner_texts() == ["turn", "speaker", "gold", "boosted", "majority"]
    gold = column(page, "#turns", 3)
    if target == "valence":
        assert all(-1.5 < float(text) < 1.5 for text in gold)
        assert page.locator("#answers [aria-label*='model: boosted']").count() > 0
    else:
        assert gold[1].split() == ["joy", "anger"]
        assert page.locator("#turns .mark").count() == 10
        calibration, together = (page.locator(f"[data-chart={name}]") for name in ("label_calibration", "together"))
        before = calibration.locator("svg").inner_html()
        calibration.locator("select").last.select_option(index=1)
        drawn = "document.querySelector('[data-chart=label_calibration] svg').innerHTML"
        page.wait_for_function(f"before => {drawn} !== before", arg=before)
        expect(together.locator("svg text", has_text="gold")).to_have_count(1)
        together.locator("select").last.select_option("majority")
        expect(together.locator("svg text", has_text="majority")).to_have_count(1)
    page.select_option("#which", "differ")
    assert "of 4 dialogues" in page.locator("#explorer-said").inner_text()


def test_it_fits_a_phone(visit: Visit) -> None:
    page = visit()
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_without_javascript_the_table_and_the_figures_stand(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator("#board tbody tr").count() == 4
    assert page.locator("[data-chart] svg").count() == 8
    assert page.locator(".still").is_visible()
