"""The page in Chromium: read, searched, printed and used by keyboard; axe-core finds nothing serious."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.views.html.render import render_html
from tests.browser import start_browser
from tests.needs import AXE
from tests.unit.views.html.pages import PARTS, build_plan
from tests.unit.views.values import build_hostile_outline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Browser, Page

pytestmark = pytest.mark.needs("chromium")

VISIBLE_NODES = """
[...document.querySelectorAll('.nodes > li')]
  .filter(node => node.checkVisibility())
  .map(node => node.querySelector('b').textContent)
"""
VISIBLE_TITLES = """
[...document.querySelectorAll('h2')].filter(title => title.checkVisibility()).map(title => title.textContent)
"""
COLORS = "['body', 'article', 'input'].map(one => getComputedStyle(document.querySelector(one)).backgroundColor)"
CHOOSE_FAILED = """
document.querySelector('select').value = 'failed';
document.querySelector('select').dispatchEvent(new Event('change'));
"""
SERIOUS = """
axe.run().then(found => found.violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .map(one => [one.id, one.nodes.map(node => node.html)]))
"""
FOCUSED = "document.activeElement.tagName"
COUNTED = "document.querySelector('output').textContent"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages: a plan of 1,000 nodes, and one in which every text is hostile."""
    folder = tmp_path_factory.mktemp("pages")
    for name, outline in (("plan", build_plan(1000)), ("hostile", build_hostile_outline())):
        (folder / f"{name}.html").write_text(render_html(outline, PARTS), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    with start_browser(folder) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, folder: Path) -> Page:
    return browser.open_page(folder / "plan.html")


def type_text(page: Page, text: str) -> None:
    for key in text:
        page.press(key)


def test_the_page_loads_nothing_and_has_no_error(page: Page) -> None:
    assert len(page.list_events("Network.requestWillBeSent")) == 1
    assert page.list_events("Log.entryAdded") + page.list_events("Runtime.exceptionThrown") == []


def test_hostile_text_does_nothing(browser: Browser, folder: Path) -> None:
    page = browser.open_page(folder / "hostile.html")
    assert page.evaluate("document.scripts.length") == 1
    assert page.list_events("Page.javascriptDialogOpening") == []
    assert len(page.list_events("Network.requestWillBeSent")) == 1


def test_it_has_landmarks_and_the_two_nodes_are_in_sight(page: Page) -> None:
    page.resize(1280)
    landmarks = ["header", "main", "form[role=search]", "section[aria-labelledby]", "footer"]
    assert page.evaluate(f"{landmarks}.every(one => document.querySelector(one).checkVisibility())")
    assert page.evaluate(VISIBLE_NODES) == ["node057", "node143"]
    assert page.evaluate("document.querySelector('mark').getBoundingClientRect().bottom") < 900


def test_details_open_by_keyboard(page: Page) -> None:
    page.evaluate("document.querySelector('.names summary').focus()")
    page.press("Enter")
    assert len(page.evaluate(VISIBLE_NODES)) == 1000
    page.press("Enter")
    assert len(page.evaluate(VISIBLE_NODES)) == 2


def test_the_first_tab_leads_past_the_overview(page: Page) -> None:
    page.press("Tab")
    assert page.evaluate("document.activeElement.hash") == "#results"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0


def test_search_finds_a_node_among_a_thousand(page: Page) -> None:
    page.press("/")
    assert page.evaluate(FOCUSED) == "INPUT"
    type_text(page, "node0777 DOCKER")
    assert page.evaluate(VISIBLE_NODES) == []
    assert page.evaluate("document.querySelector('.none').checkVisibility()")
    page.press("Escape")
    assert page.evaluate(VISIBLE_NODES) == ["node057", "node143"]
    type_text(page, "node777 docker")
    assert page.evaluate(VISIBLE_NODES) == ["node777"]
    assert page.evaluate(COUNTED) == "1 of 1000 shown"


def test_search_finds_what_a_diff_says(page: Page) -> None:
    page.press("/")
    type_text(page, "log-driver=syslog")
    assert page.evaluate(VISIBLE_NODES) == ["node057", "node143"]
    assert page.evaluate(COUNTED) == "2 of 1000 shown"


def test_the_status_limits_what_is_shown(browser: Browser, folder: Path) -> None:
    page = browser.open_page(folder / "hostile.html")
    page.evaluate(CHOOSE_FAILED)
    assert page.evaluate(VISIBLE_TITLES) == ["Overview", "Problems", "Warnings"]


def test_it_is_read_without_its_script(browser: Browser, folder: Path) -> None:
    page = browser.open_page(folder / "plan.html", scripts=False)
    assert page.evaluate("document.querySelector('form').checkVisibility()") is False
    assert page.evaluate(VISIBLE_NODES) == ["node057", "node143"]


def test_dark_mode_has_other_colors(page: Page) -> None:
    found = []
    for scheme in ("light", "dark"):
        page.emulate(scheme=scheme)
        found.append(page.evaluate(COLORS))
    assert all(light != dark for light, dark in zip(*found, strict=True))


def test_paper_has_every_name_and_no_search(page: Page) -> None:
    page.emulate(scheme="dark", medium="print")
    assert page.evaluate("document.querySelector('form').checkVisibility()") is False
    assert len(page.evaluate(VISIBLE_NODES)) == 1000
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_nothing_is_wider_than_a_telephone(page: Page) -> None:
    page.resize(400)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.needs("axe")
@pytest.mark.parametrize("name", ["plan", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, folder: Path, name: str, scheme: str) -> None:
    page = browser.open_page(folder / f"{name}.html")
    page.emulate(scheme=scheme)
    page.evaluate(f"{AXE.read_text(encoding='utf-8')}; 0")
    assert page.evaluate(SERIOUS) == []
