"""The page in a real browser: a film is dropped, asked about, and looked at; with the mouse and without."""

import io
import re
import shutil

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
    """Wait for the heat map of a finding; gives what is said of it.

    Waits go through locators, as the page's policy forbids the evaluation of strings that ``wait_for_function`` needs.
    """
    said = page.locator("#said")
    playwright.expect(said).to_have_text(re.compile(rf"Heat map of {re.escape(finding.replace('_', ' '))}\."))
    return said.text_content()


def seen(page):
    """The film as it is seen, in 32 x 32 colours."""
    picture = Image.open(io.BytesIO(page.locator("#film").screenshot())).convert("RGB")
    return picture.resize((32, 32), Image.Resampling.BOX).tobytes()


def test_a_film_is_answered_and_explained(page, film_path):
    assert page.get_by_text("Not for diagnosis").is_visible()
    page.set_input_files("#file", film_path)
    page.wait_for_selector(".finding")
    said = probabilities(page)
    assert len(said) == len(probabilities(page, "large")) == 15
    assert all("percentile" in text and "%" in text for text in said.values())
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
    assert page.locator("[role=status]").text_content().startswith("Answer:")
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
