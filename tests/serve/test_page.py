"""The page in a real browser: a film is dropped, asked about, and looked at; with the mouse and without."""

import base64
import io
import re
import shutil
from itertools import pairwise

import pytest
from PIL import Image

from cxrbench.bundle import load_bundle

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


@pytest.fixture(scope="module")
def two_films(small_study):
    """Of different patients."""
    first, *_, last = sorted((small_study.parent / "films" / "images").iterdir())
    return first, last


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


def show(page, film):
    """Open a film, and wait until it and its answer are there: what comes later moves what is below it."""
    page.set_input_files("#file", film)
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")


def probabilities(page, bundle="meta"):
    """Finding -> what its bar says to a screen reader."""
    bars = page.locator(f'.column[data-bundle="{bundle}"] .finding')
    return {bar.get_attribute("data-finding"): bar.get_attribute("aria-label") for bar in bars.all()}


def bar_of(page, finding):
    """In the first column."""
    return page.locator(f'.finding[data-finding="{finding}"]').first


def heat_of(page, finding):
    """Wait for the heat map of a finding; gives what is said of it, on the film and to a screen reader.

    Waits go through locators, as the page's policy forbids the evaluation of strings that ``wait_for_function`` needs.
    """
    said = page.locator("#map")
    playwright.expect(said).to_have_text(re.compile(rf"Heat map of {re.escape(finding.replace('_', ' '))} by"))
    return said.text_content()


def seen(page):
    """The film as it is drawn, in 32 x 32 colours; two frames on, when it has taken on the size that it now has."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    drawn = page.evaluate("() => document.getElementById('film').toDataURL()").partition(",")[2]
    picture = Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGB")
    return picture.resize((32, 32), Image.Resampling.BOX).tobytes()


def test_a_film_is_answered_and_explained(page, film_path, small_bundle):
    assert page.get_by_text("Not for diagnosis").is_visible()
    show(page, film_path)
    said = probabilities(page)
    assert set(said) == set(probabilities(page, "large")) == set(load_bundle(small_bundle).answered)
    assert all("percentile" in text for text in said.values())
    assert page.locator("#warnings li").first.is_visible()  # age, sex and view are unknown
    bare = seen(page)
    first, second = list(said)[:2]
    bar_of(page, first).click()
    heat_of(page, first)
    page.select_option("#method", "layer-cam")
    bar_of(page, second).click()
    heat = heat_of(page, second)
    page.fill("#opacity", "100")
    assert (seen(page) != bare) == ("no heat map" not in heat)
    page.fill("#opacity", "0")
    assert seen(page) == bare


def test_age_sex_and_view_move_the_answer(page, film_path):
    show(page, film_path)
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
    show(page, film_path)
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
    show(page, tmp_path / "film.dcm")
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
    show(page, film_path)
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
    show(page, film_path)
    tops = page.evaluate("() => [...document.querySelectorAll('.column')].map((one) => one.getBoundingClientRect().y)")
    assert len(set(tops)) == rows
    too_wide = page.evaluate(
        """() => [...document.querySelectorAll('body, main, .answer, .column, .finding .name')]
             .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).map((one) => one.className)"""
    )
    assert too_wide == []
    labels = page.evaluate(
        """() => [...document.querySelector('.axis').querySelectorAll('span')].map((one) => {
             const { left, right } = one.getBoundingClientRect(); return [left, right]; })"""
    )
    assert len(labels) > 1
    assert all(right <= left for (_, right), (left, _) in pairwise(labels))


def test_the_token_is_asked_for_once(browser, start_server, small_bundle, film_path):
    _, url = start_server({"meta": str(small_bundle)}, token="sesame")  # noqa: S106 - of this test's own server
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#door[open]")
    page.fill("#token", "sesame")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#notices li").first).to_be_visible()
    show(page, film_path)
    assert page.locator("#door[open]").count() == 0
    assert page.locator("#error").is_hidden()
    page.close()


def test_the_keyboard_is_enough(page, film_path):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    show(page, film_path)
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


def held_back(page, pattern, count, ask):
    """Do what asks the server so often, and let none of that reach it yet; gives the requests; later ones pass.

    They are let go with ``continue_``.
    """
    held = []
    page.route(pattern, lambda route: held.append(route) if len(held) < count else route.continue_())
    ask()
    for _ in range(PATIENCE_MS // 10):
        if len(held) == count:
            break
        page.wait_for_timeout(10)  # Playwright calls back while it waits
    return held


def test_a_film_may_come_before_the_server_said_what_it_serves(page, film_path):
    (request,) = held_back(page, "**/v1/bundles", 1, page.reload)
    page.set_input_files("#file", film_path)
    assert page.locator(".finding").count() == 0
    request.continue_()
    page.wait_for_selector(".finding")
    page.wait_for_selector("#film:not([hidden])")


def test_a_question_that_a_newer_film_overtook_is_no_error(page, two_films):
    old, new = two_films
    asked = held_back(page, "**/v1/predict", 2, lambda: page.set_input_files("#file", old))  # one for each bundle
    assert len(asked) == 2
    show(page, new)
    assert page.locator("#error").is_hidden()


HOLD = """(name) => {
  const [object, method] = { json: [Response.prototype, "json"], picture: [window, "createImageBitmap"] }[name];
  const own = object[method];
  let release;
  const released = new Promise((done) => { release = done; });
  object[method] = async function (...given) {
    const made = await own.apply(this, given);
    document.body.dataset.held = Number(document.body.dataset.held ?? 0) + 1;
    await released;
    return made;
  };
  window.pass = () => { object[method] = own; };
  window.release = () => new Promise((done) => { release(); setTimeout(done); });
}"""
"""Keeps back what the page asks for by this name, once it is here, until ``release``; ``pass`` lets later ones by."""


def hold(page, name, count, ask):
    """Do what asks for so many answers, and keep them from the page when they have come; later ones pass."""
    page.evaluate(HOLD, name)
    ask()
    playwright.expect(page.locator(f'body[data-held="{count}"]')).to_be_attached()
    page.evaluate("() => window.pass()")


def release(page):
    """Give the page what was kept back; afterwards it has done whatever it does with it."""
    page.evaluate("() => window.release()")


def test_an_answer_that_a_newer_film_overtook_is_not_shown(page, two_films):
    old, new = two_films
    show(page, new)
    expected = probabilities(page)
    hold(page, "json", 2, lambda: page.set_input_files("#file", old))  # one of each bundle
    show(page, new)
    release(page)
    assert probabilities(page) == expected
    assert page.locator("#error").is_hidden()
    show(page, old)
    assert probabilities(page) != expected


def test_a_film_that_a_newer_one_overtook_is_not_shown(page, two_films):
    old, new = two_films
    show(page, new)
    expected = seen(page)
    hold(page, "picture", 1, lambda: page.set_input_files("#file", old))
    show(page, new)
    release(page)
    assert seen(page) == expected
    show(page, old)
    assert seen(page) != expected


def test_a_heat_map_of_an_earlier_finding_is_not_drawn(page, film_path):
    show(page, film_path)
    first, second = list(probabilities(page))[:2]
    hold(page, "picture", 1, lambda: bar_of(page, first).click())
    bar_of(page, second).click()
    said, drawn = heat_of(page, second), seen(page)
    release(page)
    assert (page.locator("#map").text_content(), seen(page)) == (said, drawn)


def test_a_heat_map_of_an_earlier_film_is_not_drawn(page, two_films):
    old, new = two_films
    show(page, new)
    bare = seen(page)
    show(page, old)
    hold(page, "picture", 1, page.locator(".finding").first.click)
    show(page, new)
    release(page)
    assert seen(page) == bare
    assert page.locator("#map").text_content() == ""


def test_a_screen_reader_finds_its_way(page, film_path):
    show(page, film_path)
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
    show(page, film_path)
    (tmp_path / "notes.dcm").write_text("not a film")
    page.set_input_files("#file", tmp_path / "notes.dcm")
    page.get_by_role("alert").get_by_text("not a PNG, JPEG, TIFF or DICOM image").wait_for()
    assert page.locator(".finding").count() == 0
    assert page.locator("#film").is_hidden()
    assert page.locator("#warnings").is_hidden()
    show(page, film_path)
    playwright.expect(page.locator("#error")).to_be_hidden()


def test_a_real_film(page, shared):
    """Looked at for what must be there; the answer of a network that never saw a patient means nothing."""
    film = min((shared("nih-sample") / "images").glob("*.png"))
    show(page, film)
    assert page.locator("#size").text_content().endswith("px")
    shades = seen(page)
    assert 20 < sum(shades) / len(shades) < 235
    assert max(shades) - min(shades) > 60


def test_what_a_bundle_does_not_answer_is_named(page, two_films, small_bundle):
    """No training part of the small study shows a hernia: no bar for it, but its name and the reason."""
    show(page, two_films[0])
    assert page.locator('.finding[data-finding="Hernia"]').count() == 0
    said = page.locator(".unanswered").first
    playwright.expect(said.locator("summary")).to_contain_text("Hernia")
    said.locator("summary").click()
    playwright.expect(said.locator("li", has_text="Hernia")).to_contain_text(
        "0 positive patients in the training part of resample-1"
    )
