"""Reports in a real browser, at the width of a desk and of a telephone: nothing missing, nothing cut, nothing fetched.

The page looks at its own layout when its address ends in #check, and says what it saw; screenshots are looked at here,
figure by figure. A telephone is a frame of its width, since a browser without a screen takes no narrower window.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import warnings
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from simulations import report
from tests.patience import PATIENCE
from tests.simulations.report.made import hostile_outcome, outcome, sweep

# The warning of `chromium` is to be read, and not to fail the test that is skipped.
pytestmark = pytest.mark.filterwarnings("default:NO BROWSER")

DESK, TELEPHONE = 1200, 390
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NOBODY_TO_RAISE_IT = {"wide": [], "cut": [], "over": [], "flat": 0, "requests": 0}
FRAMES = """<!doctype html><title>frames</title><body style="margin:0"><script>
addEventListener("message", event => {{
  for (const frame of document.querySelectorAll("iframe")) if (frame.contentWindow === event.source)
    fetch("{address}/" + frame.id, {{method: "POST", mode: "no-cors", body: JSON.stringify(event.data)}});
}});
</script>{frames}"""


@pytest.fixture(scope="module")
def chromium():
    """The program; where there is none, everybody is told."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        said = (
            f"NO BROWSER: reports were not looked at; none of {', '.join(NAMES)} is here (Debian: apt install chromium)"
        )
        warnings.warn(said, stacklevel=1)
        pytest.skip(said)
    return found


@pytest.fixture(scope="module")
def browse(chromium, tmp_path_factory):
    """Start the browser on a page; it goes on for the length of a block."""

    @contextmanager
    def start(file, *options):
        profile = tmp_path_factory.mktemp("profile")
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [chromium, *flags, *options, file.as_uri()],
            env={"HOME": str(profile), "PATH": os.defpath},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)

    return start


class Listener:
    """What pages send, by the name of their frame, and what they asked for: they are told to ask for nothing."""

    def __init__(self):
        listener = self
        self.heard, self.asked, self.news = {}, [], threading.Condition()

        class Listening(BaseHTTPRequestHandler):
            def do_GET(self):
                listener.asked.append(self.path)
                self.send_error(404)

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                with listener.news:
                    listener.heard[self.path.removeprefix("/")] = said
                    listener.news.notify()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Listening)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def wait(self, count):
        """Until so many have been heard."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.heard) == count, PATIENCE), sorted(self.heard)


@pytest.fixture(scope="module")
def listener():
    listening = Listener()
    with listening.server as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield listening
        server.shutdown()
        thread.join()


def pages(folder, address):
    """One of every kind, by name."""
    report.write(sweep(24, hostile=(2, 5)), folder / "sweep.html")
    report.write([outcome()], folder / "one.html")
    report.write([outcome(nodes=1, curves={}, samples={}, edges=(), metrics={})], folder / "lonely.html")
    report.write([hostile_outcome()], folder / "hostile.html")
    report.write([outcome(nodes=2000, hostile=tuple(range(0, 2000, 90)), fidelity="messages")], folder / "large.html")
    report.write([*sweep(6, nodes=9), outcome(fidelity="model", edges=())], folder / "several.html")
    compared = report.compare(sweep(9), sweep(9, slow=2.0), names=("before", "after"))
    report.write_comparison(compared, folder / "compared.html")
    # What the check has to find: something wide, letters outside of their picture and over each other, a fetch.
    page = (folder / "one.html").read_text()
    wide = page.replace("<h2>", '<div style="width:3000px">wide</div><h2>', 1)
    wide = wide.replace("</svg>", '<text x="370" y="90">outside</text><text x="371" y="90">over</text></svg>', 1)
    wide = wide.replace("<h2>", f'<img src="{address}/unguarded"><h2>', 1)
    (folder / "broken.html").write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", wide))
    fetching = f'<img src="{address}/guarded"><script>fetch("{address}/guarded")</script><h2>'
    (folder / "guarded.html").write_text(page.replace("<h2>", fetching, 1))
    return sorted(file.stem for file in folder.glob("*.html"))


@pytest.fixture(scope="module")
def heard(browse, listener, tmp_path_factory):
    """What each page says of its layout, by name and width, and the folder they lie in."""
    folder = tmp_path_factory.mktemp("pages")
    frames = [
        f'<iframe id="{name}-{width}" src="{name}.html#check" style="border:0;width:{width}px;height:900px"></iframe>'
        for name in pages(folder, listener.address)
        for width in (DESK, TELEPHONE)
    ]
    index = folder / "index.html"
    index.write_text(FRAMES.format(frames="".join(frames), address=listener.address))
    with browse(index):
        listener.wait(len(frames))
    return folder, listener.heard


@pytest.mark.parametrize("width", [DESK, TELEPHONE])
@pytest.mark.parametrize("name", ["sweep", "one", "lonely", "hostile", "large", "several", "compared"])
def test_nothing_of_a_page_is_cut_or_fetched(heard, name, width):
    said = heard[1][f"{name}-{width}"]
    assert {one: said[one] for one in NOBODY_TO_RAISE_IT} == NOBODY_TO_RAISE_IT
    assert said["scrollWidth"] == said["clientWidth"] <= width
    assert said["data"] is True


@pytest.mark.parametrize(
    ("name", "pictures"), [("sweep", 10), ("one", 7), ("lonely", 0), ("hostile", 4), ("large", 8), ("compared", 6)]
)
def test_every_picture_is_there(heard, name, pictures):
    assert len(heard[1][f"{name}-{TELEPHONE}"]["pictures"]) == pictures


@pytest.mark.parametrize("width", [DESK, TELEPHONE])
def test_the_check_sees_what_is_wide_cut_covered_and_fetched(heard, width):
    said = heard[1][f"broken-{width}"]
    assert said["scrollWidth"] > said["clientWidth"]
    assert any("DIV" in one for one in said["wide"])
    assert "outside" in said["cut"]
    assert any("outside" in one and "over" in one for one in said["over"])
    assert said["requests"] > 0


def test_a_page_can_fetch_nothing_even_if_it_would(heard, listener):
    assert "guarded-1200" in heard[1]
    assert set(listener.asked) == {"/unguarded"}


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("sweep", DESK, "light"), ("sweep", DESK, "dark"), ("sweep", TELEPHONE, "light"), ("compared", TELEPHONE, "dark")],
)
def test_every_picture_has_ink_on_the_screenshot(heard, browse, tmp_path, name, width, scheme):  # noqa: PLR0917
    folder, said = heard[0], heard[1][f"{name}-{width}"]
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<!doctype html><body style="margin:0"><iframe src="{(folder / name).as_uri()}.html" '
        f'style="border:0;width:{width}px;height:{said["height"]}px"></iframe>'
    )
    shot = tmp_path / "shot.png"
    colours = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    with browse(frame, f"--window-size={width},{said['height']}", f"--screenshot={shot}", colours) as browser:
        assert browser.wait(PATIENCE) == 0
    with Image.open(shot) as opened:
        image = opened.convert("RGB")
    assert image.size == (width, said["height"])
    paper = image.getpixel((2, 2))
    assert (sum(paper) > 600) is (scheme == "light")
    assert len(said["pictures"]) > 5
    for left, top, wide, high in said["pictures"]:
        colours = image.crop((int(left), int(top), int(left + wide), int(top + high))).getcolors(1 << 20)
        assert max(colours)[1] == paper
        coloured = sum(count for count, (r, g, b) in colours if max(r, g, b) - min(r, g, b) > 60)
        assert coloured > 150, (left, top)
    last = image.crop((0, said["height"] - 120, width, said["height"]))
    assert last.getcolors(1 << 20)[1:], "the foot of the page is empty"
