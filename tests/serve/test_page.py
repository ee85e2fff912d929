"""The page in a real browser: a film is dropped, asked about, and looked at; with the mouse and without."""

import base64
import io
import re
import shutil
from itertools import pairwise

import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
PATIENCE_MS = 90_000
"""Others may use the same cores."""


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium, which is not installed")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server):
    """The page; whatever it complains about, and whatever it asks of another host, fails the test."""
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if said.type == "error" and "422" not in said.text else None
    )
    page.on(
        "request", lambda request: None if request.url.startswith((server[1], "blob:")) else wrong.append(request.url)
    )
    page.goto(server[1])
    yield page
    page.close()
    assert wrong == []


def probabilities(page, bundle="meta"):
    """Finding -> what its bar says to a screen reader."""
    bars = page.locator(f'.column[data-bundle="{bundle}"] .finding')
    return {bar.get_attribute("data-finding"): bar.get_attribute("aria-label") for bar in bars.all()}


def heat_of(page, finding):
    """Wait for the heat map of a finding; gives what is said of it, on the film and to a screen reader.

    Waits go through locators, as the page's policy forbids the evaluation of strings that ``wait_for_function`` needs.
    """
    said = page.locator("#map")
    playwright.expect(said).to_have_text(re.compile(rf"Heat map of {re.escape(finding.replace('_', ' '))} by"))
    return said.text_content()


def seen(page):
    """The film as it is drawn, in 32 x 32 colours."""
    drawn = page.evaluate("() => document.getElementById('film').toDataURL()").partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGB")
    return picture.resize((32, 32), Image.Resampling.BOX).tobytes()


def test_a_film_is_answered_and_explained(page, film_path):
    assert page.get_by_text("Not for diagnosis").is_visible()
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    said = probabilities(page)
    assert len(said) == len(probabilities(page, "large")) == 15
    assert all("percentile" in text for text in said.values())
    assert page.locator("#warnings li").first.is_visible()  # age, sex and view are unknown
    page.wait_for_selector("#film:not([hidden])")
    bare = seen(page)
    first, second = list(said)[:2]
    page.locator(f'.finding[data-finding="{first}"]').first.click()
    heat_of(page, first)
    page.select_option("#method", "layer-cam")
    page.locator(f'.finding[data-finding="{second}"]').first.click()
    heat = heat_of(page, second)
    page.fill("#opacity", "100")
    assert (seen(page) != bare) == ("no heat map" not in heat)
    page.fill("#opacity", "0")
    assert seen(page) == bare


def test_age_sex_and_view_move_the_answer(page, film_path):
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    before = probabilities(page)
    for field, value in (("#sex", "M"), ("#view", "AP")):
        page.select_option(field, value)
    page.fill("#age", "88")
    playwright.expect(page.locator("#age-source")).to_have_text("as entered")
    after = probabilities(page)
    assert after != before
    moved = [text for text in after.values() if ", was " in text]
    assert moved
    assert page.locator('.column[data-bundle="meta"] .ghost').count() == len(moved)
    page.click("#restore")
    playwright.expect(page.locator("#age-source")).to_have_text("unknown")
    assert page.locator(".ghost").count() == 0
    assert probabilities(page) == before


def test_an_age_that_nobody_has_is_refused_and_the_answer_disowned(page, film_path):
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    page.fill("#age", "300")
    playwright.expect(page.get_by_role("alert").filter(has_text="Age, years: ")).to_be_visible()
    assert page.locator("#age").get_attribute("aria-invalid") == "true"
    assert page.locator("#stale").is_visible()
    page.fill("#age", "30")
    playwright.expect(page.locator("#age-source")).to_have_text("as entered")
    assert page.locator("#error").is_hidden()
    assert page.locator("#stale").is_hidden()
    assert page.locator("#age").get_attribute("aria-invalid") is None


def test_what_the_file_says_can_be_made_unknown(page, dicom, tmp_path):
    (tmp_path / "film.dcm").write_bytes(dicom)
    page.set_input_files("#file", tmp_path / "film.dcm")
    page.wait_for_selector(".finding")
    assert [page.input_value(f"#{name}") for name in ("age", "sex", "view")] == ["71", "F", "AP"]
    page.fill("#age", "")
    playwright.expect(page.locator("#age-source")).to_have_text("as entered: unknown")
    page.select_option("#sex", "")
    playwright.expect(page.locator("#sex-source")).to_have_text("as entered: unknown")
    assert [page.input_value(f"#{name}") for name in ("age", "sex", "view")] == ["", "", "AP"]
    page.click("#restore")
    playwright.expect(page.locator("#age-source")).to_have_text("from the file")
    assert page.input_value("#age") == "71"


def test_what_is_no_probability_is_not_written_as_one(page, client, film, film_path):
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    answer = client.post("/v1/predict", files={"film": film}, data={"bundle": "meta"}).json()
    is_calibrated = {one["finding"]: one["is_calibrated"] for one in answer["findings"]}
    assert not all(is_calibrated.values())
    for bar in page.locator('.column[data-bundle="meta"] .finding').all():
        finding, seen_text = bar.get_attribute("data-finding"), bar.inner_text()
        assert ("%" in seen_text) == is_calibrated[finding]
        assert ("not calibrated" in seen_text) != is_calibrated[finding]
        assert ("not calibrated" in bar.get_attribute("aria-label")) != is_calibrated[finding]


@pytest.mark.parametrize(("width", "rows"), [(360, 2), (560, 2), (768, 1), (1000, 1), (1500, 1)])
def test_two_bundles_fit_any_window(page, film_path, width, rows):
    page.set_viewport_size({"width": width, "height": 900})
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    assert len({column.bounding_box()["y"] for column in page.locator(".column").all()}) == rows
    too_wide = page.evaluate(
        """() => [...document.querySelectorAll('body, main, .answer, .column, .finding .name')]
             .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).map((one) => one.className)"""
    )
    assert too_wide == []
    labels = [label.bounding_box() for label in page.locator(".axis").first.locator("span").all()]
    assert all(one["x"] + one["width"] <= other["x"] for one, other in pairwise(labels))


def test_the_token_is_asked_for_once(browser, start_server, small_bundle, film_path):
    _, url = start_server({"meta": str(small_bundle)}, token="sesame")  # noqa: S106 - of this test's own server
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#door[open]")
    page.fill("#token", "sesame")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#notices li").first).to_be_visible()
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    assert page.locator("#door[open]").count() == 0
    assert page.locator("#error").is_hidden()
    page.close()


def test_the_keyboard_is_enough(page, film_path):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")
    page.focus("#film")
    before = seen(page)
    page.keyboard.press("i")
    assert page.locator("#invert").get_attribute("aria-pressed") == "true"
    assert seen(page) != before
    page.keyboard.press("0")
    assert seen(page) == before
    for key in ("ArrowLeft", "ArrowUp", "+"):
        page.keyboard.press(key)
    assert page.locator("#shades").text_content().split() == ["W", "247", "L", "120", "125", "%"]
    page.focus(".finding")
    page.keyboard.press("Enter")
    assert page.locator('.finding[aria-pressed="true"]').count() == 1
    heat_of(page, next(iter(probabilities(page))))


def test_a_film_may_come_before_the_server_said_what_it_serves(page, film_path):
    held = []
    page.route("**/v1/bundles", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks what it is given
    page.reload()
    page.set_input_files("#file", film_path)
    assert page.locator(".finding").count() == 0
    held[0].continue_()
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")


def test_a_screen_reader_finds_its_way(page, film_path):
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("main").count() == page.locator("h1").count() == 1
    answer = page.locator("#said[role=status]").text_content()
    assert re.fullmatch(r"Answer: meta: [^.]+\. large: [^.]+\.", answer)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, canvas, a')].filter((one) =>
             !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.[0]?.textContent.trim()))
             .map((one) => one.outerHTML)"""
    )
    assert nameless == []
    twice = page.evaluate(
        """() => [...document.querySelectorAll('[id]')].map((one) => one.id)
                 .filter((id, i, all) => all.indexOf(id) !== i)"""
    )
    assert twice == []


def test_what_is_no_film_is_said(page, tmp_path):
    (tmp_path / "notes.dcm").write_text("not a film")
    page.set_input_files("#file", tmp_path / "notes.dcm")
    page.get_by_role("alert").get_by_text("not a PNG, JPEG, TIFF or DICOM image").wait_for()


def test_nothing_of_one_film_stands_beside_the_next(page, film_path, tmp_path):
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")
    (tmp_path / "notes.dcm").write_text("not a film")
    page.set_input_files("#file", tmp_path / "notes.dcm")
    page.get_by_role("alert").get_by_text("not a PNG, JPEG, TIFF or DICOM image").wait_for()
    assert page.locator(".finding").count() == 0
    assert page.locator("#film").is_hidden()
    assert page.locator("#warnings").is_hidden()
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    playwright.expect(page.locator("#error")).to_be_hidden()


def test_a_real_film(page, shared):
    """Looked at for what must be there; the answer of a network that never saw a patient means nothing."""
    film = min((shared("nih-sample") / "images").glob("*.png"))
    page.set_input_files("#file", film)
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")
    assert page.locator("#size").text_content().endswith("px")
    shades = seen(page)
    assert 20 < sum(shades) / len(shades) < 235
    assert max(shades) - min(shades) > 60
