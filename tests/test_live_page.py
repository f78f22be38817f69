"""The live page in a browser: it loads, it moves, everything on it acts, and anybody can use it."""

import re

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from playwright.sync_api import expect

from browser import ALL, barriers, running_chromium
from live import COLOURS, OVERLAP, live_server, number, state, wait_until

WIDTHS = (1280, 768, 400)
PATIENCE = 600_000  # ms, for what may take its time on a busy machine

expect.set_options(timeout=60_000)  # ms, for what takes none: it never decides on a machine that has something to do


@pytest.fixture(scope="module")
def address():
    with live_server("CartPole-v1", "--hidden", 16) as found:
        yield found


@pytest.fixture(scope="module")
def chromium():
    with running_chromium() as found:
        yield found


@pytest.fixture
def opened(chromium, address):
    """Opens pages; afterwards none of them may have said anything on its console, or asked for anything elsewhere."""
    contexts, troubles = [], []

    def open_page(width=1280, height=800, tour=False, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        context.on(
            "request", lambda request: troubles.append(request.url) if not is_own(request.url, address) else None
        )
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(address.page)
        if not tour:
            page.click("#tour-close")
        expect(page.locator("#status-text")).to_have_text(re.compile("Paused|Learning"), timeout=PATIENCE)
        expect(page.locator("#world-title")).not_to_have_text("…")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(opened):
    """A page with a new agent in the cart and pole."""
    found = opened()
    begin(found, "CartPole-v1")
    return found


def is_own(url, address):
    return url.startswith((address.page, f"{address.live}", f"blob:{address.origin}/"))


def begin(page, world):
    page.click("#open-gallery")
    page.click(f"#worlds [data-world='{world}']")
    expect(page.locator("#said")).to_contain_text("A new agent in", timeout=PATIENCE)
    expect(page.locator("#status-text")).to_have_text("Paused", timeout=PATIENCE)
    expect(page.locator("#figure-step")).to_have_text("1")
    wait_until(lambda: page.evaluate("Boolean(window.dynlive.view.net && window.dynlive.view.strengths)"))


def run(page, speed):
    page.check(f"#speed input[value={speed}]", force=True)
    if page.inner_text("#run-text") == "Run":
        page.click("#run")
    expect(page.locator("#status-text")).to_have_text("Learning")


# -- what moves --------------------------------------------------------------------------------------------------------


def test_it_runs_pauses_and_steps(page):
    page.click("#step")
    expect(page.locator("#figure-step")).to_have_text("2")
    run(page, "real")
    wait_until(lambda: number(page, "#figure-step") > 30)
    page.click("#run")
    expect(page.locator("#status-text")).to_have_text("Paused")
    step = number(page, "#figure-step")
    page.keyboard.press("Tab")
    page.locator("body").click(position={"x": 2, "y": 2})
    page.keyboard.press("Space")
    expect(page.locator("#status-text")).to_have_text("Learning")
    wait_until(lambda: number(page, "#figure-step") > step)
    page.keyboard.press("Space")
    expect(page.locator("#status-text")).to_have_text("Paused")


def test_it_learns_at_full_speed_and_everything_is_shown(page):
    run(page, "full")
    wait_until(lambda: number(page, "#figure-mean") > 60)
    wait_until(lambda: number(page, "#figure-rate") > 0)
    assert number(page, "#figure-born") > 0
    assert number(page, "#figure-died") > 0
    assert 0 < number(page, "#figure-connections") <= 160
    shares = [float(text.strip("\u202f%")) for text in page.locator(".action > span:nth-child(2)").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=1.5)
    assert re.fullmatch(r"worth [\d.,\u202f−]+", page.locator(".worth").first.inner_text())
    for chart in ("returns", "td", "connections", "rate"):
        expect(page.locator(f"#chart-{chart}")).to_have_attribute(
            "aria-label", re.compile(r": [\d.e\u202f−-]+ at step \d")
        )
    for canvas in ("picture", "net", "chart-returns"):
        assert page.evaluate(COLOURS, canvas) > 10


def test_the_speeds_differ(page):
    run(page, "slow")
    wait_until(lambda: 0 < number(page, "#figure-rate") < 8)
    run(page, "fast")
    wait_until(lambda: number(page, "#figure-rate") > 60)


# -- what is done to it ------------------------------------------------------------------------------------------------


def test_one_click_cuts_a_connection_and_tells_what_followed(page):
    spot = page.evaluate("""() => {
      const { view } = window.dynlive, { net, at, strengths } = view, box = view.canvas.getBoundingClientRect();
      let c = 0;
      for (let k = 1; k < strengths.length; k++) if (net.kind[net.source[k]] !== 2 && strengths[k] > strengths[c]) c = k;
      const i = net.source[c], j = net.target[c];
      return { x: box.left + (at.x[i] + at.x[j]) / 2, y: box.top + (at.y[i] + at.y[j]) / 2 };
    }""")
    page.mouse.move(spot["x"], spot["y"])
    expect(page.locator("#tip")).to_contain_text("Click: cut it")
    expect(page.locator("#tip")).to_contain_text("→ neuron")
    page.mouse.click(spot["x"], spot["y"])
    expect(page.locator("#followed .followed-title")).to_have_text(
        re.compile(r"Cut .+ → neuron \d+ \(strength 0\.\d+\)")
    )
    expect(page.locator("#followed tbody tr").first).to_contain_text("push left")
    wait_until(lambda: state(page, "cut") == 1)
    expect(page.locator("#figure-connections")).to_have_text("159")
    run(page, "full")
    expect(page.locator("#followed")).to_contain_text("since.", timeout=PATIENCE)


def test_a_neuron_is_looked_at_and_killed_by_the_mouse(page):
    spot = page.evaluate("""() => {
      const { view } = window.dynlive, id = view.net.layers[1].ids[5], box = view.canvas.getBoundingClientRect();
      return { id, x: box.left + view.at.x[id], y: box.top + view.at.y[id] };
    }""")
    page.mouse.move(spot["x"], spot["y"])
    expect(page.locator("#tip")).to_contain_text("listens to 8")
    page.mouse.click(spot["x"], spot["y"])
    expect(page.locator("#neuron")).to_have_value(str(spot["id"]))
    expect(page.locator("#sources li")).to_have_count(8)
    page.check("#tool input[value=kill]", force=True)
    page.mouse.click(spot["x"], spot["y"])
    expect(page.locator("#followed .followed-title")).to_have_text(f"Killed neuron {spot['id']}")
    wait_until(lambda: state(page, "killed") == 1)


def test_the_same_by_keyboard(page):
    page.focus("#neuron")
    page.keyboard.press("ArrowDown")
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    chosen = page.input_value("#neuron")
    expect(page.locator("#sources li")).to_have_count(8)
    page.keyboard.press("Tab")
    expect(page.locator("#kill")).to_be_focused()
    page.locator("#sources button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sources li")).to_have_count(7)
    page.focus("#kill")
    page.keyboard.press("Enter")
    expect(page.locator("#followed .followed-title")).to_have_text(f"Killed neuron {chosen}")


def test_shares_are_hurt_and_the_other_network_is_drawn(page):
    page.fill("#share-lost", "50")
    expect(page.locator("#share-text")).to_have_text("50\u202f%")
    page.click("#hurt-neurons")
    expect(page.locator("#followed .followed-title")).to_have_text("Killed 16 neurons in both networks")
    page.click("#hurt-connections")
    expect(page.locator("#followed .followed-title")).to_have_text(re.compile(r"Cut \d+ connections in both networks"))
    page.check("#shown input[value=critic]", force=True)
    wait_until(lambda: page.evaluate("window.dynlive.view.net.shown") == "critic")
    assert page.evaluate("window.dynlive.view.dead.size") >= 8


def test_the_world_is_changed(page):
    page.click("#swap")
    expect(page.locator("#swap")).to_have_attribute("aria-pressed", "true")
    page.click("#swap")
    expect(page.locator("#swap")).to_have_attribute("aria-pressed", "false")
    for name, value in (("length", "2"), ("gravity", "20"), ("force", "5")):
        page.fill(f"#handle-{name}", value)
        wait_until(
            lambda name=name, value=value: (
                {one["name"]: one["value"] for one in state(page, "handles")}[name] == float(value)
            )
        )
    page.click("[aria-label='Gravity: as it was']")
    wait_until(lambda: {one["name"]: one["value"] for one in state(page, "handles")}["gravity"] == 9.8)


def test_a_new_agent_is_made_as_asked(page):
    page.fill("#seed", "7")
    page.select_option("#hidden-count", "8")
    page.click("#reset")
    wait_until(lambda: (state(page, "seed"), state(page, "hidden")) == (7, 8))
    page.select_option("#mode", "live")
    expect(page.locator("#hidden-count")).to_be_disabled()
    page.click("#reset")
    wait_until(lambda: state(page, "mode") == "live" and state(page, "status") == "ready", 600)
    expect(page.locator("#no-hurt")).to_be_visible()
    expect(page.locator("#hurt-controls")).to_be_hidden()
    run(page, "full")
    wait_until(lambda: page.evaluate("window.dynlive.view.net.layers[1].ids.length") > 10)
    page.fill("#seed", "-3")
    page.click("#reset")
    expect(page.locator("#said")).to_have_text("A seed is a whole number from 0 to 4294967295.")


@pytest.mark.parametrize(
    ("world", "seen"),
    [
        ("FrozenLake-v1", "#picture"),
        ("DynLive/Chain-v0", "#picture-text"),
        ("DynLive/DriftCartPole-v0", "#handle-friction"),
    ],
)
def test_worlds_of_the_gallery_open(page, world, seen):
    begin(page, world)
    expect(page.locator(seen)).to_be_visible()
    run(page, "full")
    wait_until(lambda: number(page, "#figure-episodes") > 0)
    assert page.locator(f"#worlds [data-world='{world}']").get_attribute("aria-current") == "true"


def test_an_agent_is_saved_and_loaded_and_a_picture_shared(page, tmp_path):
    run(page, "full")
    wait_until(lambda: number(page, "#figure-step") > 300)
    page.click("#run")
    expect(page.locator("#status-text")).to_have_text("Paused")
    with page.expect_download() as download:
        page.click("#save")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "cartpole-v1.dynlive"
    step = number(page, "#figure-step")
    begin(page, "CartPole-v1")
    page.set_input_files("#file", file)
    expect(page.locator("#said")).to_contain_text("A saved agent in", timeout=PATIENCE)
    wait_until(lambda: number(page, "#figure-step") == step + 1)
    file.write_bytes(b"something else")
    page.set_input_files("#file", file)
    expect(page.locator("#said")).to_contain_text("is not a DynLive checkpoint", timeout=PATIENCE)
    page.click("#share")
    expect(page.locator("#share-image")).to_be_visible()
    with page.expect_download() as download:
        page.click("#share-download")
    assert download.value.path().read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# -- what it survives --------------------------------------------------------------------------------------------------


def test_reload_and_a_second_tab(page, opened):
    run(page, "full")
    wait_until(lambda: number(page, "#figure-episodes") > 5)
    page.reload()
    expect(page.locator("#status-text")).to_have_text("Learning", timeout=PATIENCE)
    expect(page.locator("#chart-returns")).to_have_attribute("aria-label", re.compile("at step"))
    second = opened()
    second.click("#run")
    for one in (page, second):
        expect(one.locator("#status-text")).to_have_text("Paused")
    wait_until(lambda: page.inner_text("#figure-step") == second.inner_text("#figure-step"))


def test_a_lost_connection_is_seen_and_made_again(page):
    run(page, "real")
    for _ in range(2):
        page.evaluate("window.dynlive.link.socket.close()")
        expect(page.locator("#status-text")).to_have_text("Connection lost; trying again …")
        expect(page.locator("#status-text")).to_have_text("Learning", timeout=PATIENCE)
    step = number(page, "#figure-step")
    wait_until(lambda: number(page, "#figure-step") > step)


def test_a_server_that_has_gone_is_said_to_be(chromium):
    context = chromium.new_context()
    page = context.new_page()
    with live_server("CartPole-v1") as address:
        page.goto(address.page)
        expect(page.locator("#status-text")).to_have_text("Paused", timeout=PATIENCE)
    expect(page.locator("#status-text")).to_have_text(re.compile("No connection; next try in"), timeout=PATIENCE)
    expect(page.locator("#notice")).to_contain_text("start “dynlive live” again", timeout=PATIENCE)
    expect(page.locator("#reconnect")).to_be_visible()
    context.close()


# -- who can use it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, scheme):
    page = opened(color_scheme=scheme)
    begin(page, "CartPole-v1")
    page.evaluate("window.dynlive.selectAny()")
    page.click("#swap")
    page.wait_for_timeout(300)
    assert barriers(page, ALL) == []
    page.click("#open-gallery")
    assert barriers(page, ALL) == []
    page.keyboard.press("Escape")
    page.click("#share")
    expect(page.locator("#share-image")).to_be_visible()
    assert barriers(page, ALL) == []
    page.click("#share-close")
    page.click("#open-tour")
    page.wait_for_timeout(300)
    assert barriers(page, ALL) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits(opened, width):
    page = opened(width=width, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in page.locator("button:visible, select:visible, input:visible").all():
        box = control.bounding_box()
        assert box["x"] >= -1, control
        assert box["x"] + box["width"] <= width + 1, control
    assert not page.evaluate(OVERLAP)


def test_the_tour_leads_a_beginner_to_its_end(opened):
    page = opened(tour=True)
    begin(page, "FrozenLake-v1")
    expect(page.locator("#tour-do")).to_have_text("Go to the cart and the pole")
    page.click("#tour-do")
    for step in range(1, 7):
        expect(page.locator("#tour-count")).to_have_text(f"Step {step} of 6")
        expect(page.locator("#tour-do")).not_to_have_text("Go to the cart and the pole", timeout=PATIENCE)
        page.click("#tour-do")
        expect(page.locator("#tour-progress")).to_contain_text("✓", timeout=PATIENCE)
        page.click("#tour-next")
    expect(page.locator("#tour")).to_be_hidden()
    page.reload()
    expect(page.locator("#status-text")).to_have_text("Learning", timeout=PATIENCE)
    expect(page.locator("#tour")).to_be_hidden()


def test_calm_is_kept_where_it_is_asked_for(opened):
    page = opened(reduced_motion="reduce")
    run(page, "full")
    page.wait_for_timeout(1500)
    before = page.evaluate("window.dynlive.frames")
    page.wait_for_timeout(2000)
    assert 0 < page.evaluate("window.dynlive.frames") - before <= 9


def test_the_theme_is_kept(opened):
    page = opened(color_scheme="light")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    page.click("#theme")
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    assert page.evaluate(colour) != light
    page.reload()
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    page.click("#theme")
    assert page.evaluate(colour) == light
