"""The explorer in a real browser: every page, a whole run, cancel, a killed server, phone and desktop, keyboard, print."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

_PAGES = (
    "/", "/treatments", "/treatments/nivolumab-ipilimumab", "/statements?verdict=contradicted", "/compare", "/patient",
    "/patient/model", "/trials", "/trials/confirm", "/trials/own", "/runs", "/evidence",
)  # fmt: skip
_PATIENT = "/patient?treatment=nivolumab+%2B+ipilimumab&line=first&histology=epithelioid"
_LONG = 600_000  # ms: a busy machine may take long, and compiles first
expect.set_options(timeout=120_000)
_DESKTOP, _PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def _chromium(playwright) -> Browser:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if found is None and not Path(playwright.chromium.executable_path).exists():
        pytest.skip("there is no Chromium on this machine (apt-get install chromium)")
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = _chromium(playwright)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def server(browser, servers):
    return servers()


@pytest.fixture
def open_page(browser, server) -> Iterator[Callable[..., Page]]:
    """Opens pages that fail the test for any error in the console and any request elsewhere."""
    faults: list[str] = []
    contexts = []

    def make(path: str, *, url: str = "", **options) -> Page:
        base = url or server.url
        context = browser.new_context(**{"viewport": _DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_LONG)
        page.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((base, "data:", "blob:")) else faults.append(asked.url),
        )
        page.goto(base + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []


def _is_accessible(page: Page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], page.url


def test_every_page_by_desktop_and_phone_in_light_and_dark(open_page):
    page = open_page("/")
    for path in _PAGES:
        page.goto(re.match(r"https?://[^/]+", page.url)[0] + path)
        if path == "/patient":
            expect(page.locator("[data-story]")).to_contain_text("The tumour starts at", timeout=_LONG)
        expect(page.locator("h1")).to_have_count(1)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            _is_accessible(page)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(_PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"], path
        page.set_viewport_size(_DESKTOP)


def test_first_paint_is_quick(open_page):
    """Of some loads the quickest: what the pages need, not what else the machine does."""
    page = open_page("/")
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    found = []
    for path in ("/treatments", "/", "/treatments", "/trials", "/treatments"):
        page.goto(re.match(r"https?://[^/]+", page.url)[0] + path)
        while (painted := page.evaluate(paint)) is None:
            page.wait_for_timeout(50)
        found.append(painted)
    assert min(found) < 2000, found


def test_a_whole_run_by_keyboard_alone(open_page):
    page = open_page("/trials/confirm")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "size":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.locator("[name=patients]")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("40")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/confirm-n40")
    expect(page.locator("#comparison")).to_be_visible(timeout=_LONG)
    expect(page.locator("svg[aria-label='Overall survival']")).to_be_visible()
    _is_accessible(page)
    page.locator(".code summary").click()
    expect(page.locator(".code")).to_contain_text("mesotrial run confirm --patients-per-arm 40")
    page.locator(".menu summary").click()
    with page.expect_download() as download:
        page.locator(".menu a[href$='summary.json']").click()
    summary = json.loads(Path(download.value.path()).read_text())
    assert summary["patients_per_arm"] == {"nivo": 40, "placebo": 40}
    with page.expect_download() as download:
        page.locator(".menu a[href$='overall-survival.svg']").click()
    drawing = Path(download.value.path()).read_text()
    assert drawing.startswith("<svg xmlns=") and "var(" not in drawing
    page.set_viewport_size(_PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    page.emulate_media(media="print")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.locator("#comparison")).to_be_visible()


def test_cancel_then_resume_after_the_server_was_killed(open_page, servers):
    server = servers()
    page = open_page("/trials/confirm", url=server.url)
    page.locator("input[name=size][value=chosen]").check()
    page.locator("[name=patients]").fill("3000")
    page.get_by_role("button", name="Run the trial").click()
    page.wait_for_url("**/runs/confirm-n3000")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-word]")).to_have_text("Interrupted")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("[data-word]")).to_have_text(re.compile("Waiting|Running"))
    expect(page.locator("[data-sentence]")).to_contain_text(" of ", timeout=_LONG)
    address = page.url
    page.goto("about:blank")
    server.kill()
    again = servers(server.runs)
    later = open_page(address.removeprefix(server.url), url=again.url)
    if later.get_by_role("button", name="Resume").count():
        later.get_by_role("button", name="Resume").click()
    expect(later.locator("#comparison")).to_be_visible(timeout=_LONG)


def test_a_whole_comparison(open_page):
    page = open_page("/compare")
    page.locator("[name=t1]").select_option("nivolumab")
    page.locator("[name=t2]").select_option("best supportive care")
    page.locator("[name=line]").select_option("relapsed")
    page.locator("[name=age]").fill("70")
    page.locator("[name=tumour]").fill("80")
    page.locator("[name=people]").fill("200")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#hundred")).to_be_visible(timeout=_LONG)
    for words in (
        "What was published",
        "CONFIRM",
        "The arithmetic in words",
        "What this cannot tell you",
        "Questions to take to a doctor",
    ):
        expect(page.locator("main")).to_contain_text(words)
    counts = page.locator(".arm-block").first.locator(".big").all_inner_texts()
    pictures = page.locator(".arm-block").first.locator("svg.people")
    assert [pictures.nth(i).locator(".full").count() for i in range(pictures.count())] == [
        int(count) for count in counts
    ]
    assert len(counts) == 7
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _is_accessible(page)
    page.set_viewport_size(_PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    link = page.url
    again = open_page(link.partition("/compare")[1] + link.partition("/compare")[2])
    expect(again.locator("#hundred")).to_be_visible()  # the link alone finds it


def test_inside_one_patient_moves_with_the_sliders(open_page):
    page = open_page(_PATIENT)
    story, curve = page.locator("[data-story]"), page.locator("[data-plots] path.thick")
    expect(story).to_contain_text("The tumour starts at", timeout=_LONG)
    before, drawn = story.inner_text(), curve.get_attribute("d")
    slider = page.get_by_label("Strength of the T-cell answer")
    slider.focus()
    for _ in range(8):
        page.keyboard.press("PageUp")
    expect(curve).not_to_have_attribute("d", drawn)
    expect(page).to_have_url(re.compile("priming_strength="))
    expect(story).not_to_have_text(before)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save this case").click()
    case = json.loads(Path(download.value.path()).read_text())
    assert case["schema"] == "mesotrial/case/1"
    strength = slider.input_value()
    page.get_by_role("button", name="Back to typical").click()
    expect(slider).not_to_have_value(strength)
    page.locator("[data-open]").set_input_files(
        {"name": "case.json", "mimeType": "application/json", "buffer": json.dumps(case).encode()}
    )
    page.wait_for_url(re.compile("priming_strength="))
    expect(page.get_by_label("Strength of the T-cell answer")).to_have_value(strength)


def test_a_treatment_that_nobody_knows(open_page):
    page = open_page("/compare?t1=surgery&t2=best+supportive+care&line=relapsed")
    page.locator("[name=people]").fill("200")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#hundred")).to_be_visible(timeout=_LONG)
    unknown, known = page.locator(".arm-block").nth(0), page.locator(".arm-block").nth(1)
    expect(unknown).to_contain_text("shorter survival with surgery (MARS 2)")
    expect(unknown.locator("figcaption")).to_have_text([re.compile(r"Not known.*from\s+\d+ to \d+ of 100")] * 7)
    assert unknown.locator(".big").count() == 0 < known.locator(".big").count()
    assert unknown.locator("circle.perhaps").count() > 0 == known.locator("circle.perhaps").count()
    expect(page.locator("main")).to_contain_text(
        "it is not known how many of 100 are alive after one year: anything from"
    )
    _is_accessible(page)


def test_a_model_of_ones_own(open_page):
    page = open_page("/patient/model")
    page.get_by_role("button", name="Read it and go on").click()
    page.wait_for_url(re.compile("/patient/model/[0-9a-f]{16}$"))
    curve = page.locator("svg.curves .curve").first
    before = curve.get_attribute("d")
    page.locator("[name=set]").fill("growth = 0.05")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("set=growth"))
    expect(curve).not_to_have_attribute("d", before)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        _is_accessible(page)
    page.set_viewport_size(_PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]


def test_filters_and_looking_up(open_page):
    page = open_page("/treatments")
    page.locator("[name=q]").fill("Keytruda")
    page.wait_for_url("**/treatments?q=Keytruda")
    expect(page.locator(".tile h2").first).to_be_visible()
    page.get_by_role("link", name="pembrolizumab", exact=True).click()
    expect(page.locator("svg.cycle")).to_have_attribute("aria-label", re.compile("T cells kill"))
    page.goto(re.match(r"https?://[^/]+", page.url)[0] + "/trials?q=NCT02899299")
    expect(page.get_by_role("link", name="NCT02899299").first).to_have_attribute(
        "href", "https://clinicaltrials.gov/study/NCT02899299"
    )
