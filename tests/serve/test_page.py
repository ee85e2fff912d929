"""The page in a real browser: a film is dropped, asked about, and looked at; with the mouse and without."""

import io
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
    page.locator(".finding").first.click()
    with page.expect_response(lambda answer: "/v1/explain" in answer.url):
        page.select_option("#method", "layer-cam")
    page.wait_for_function("document.querySelector('#said').textContent.startsWith('Heat map')")
    page.fill("#opacity", "100")
    if "no heat map" not in page.locator("#said").text_content():
        assert seen(page) != bare
    page.fill("#opacity", "0")
    assert seen(page) == bare
