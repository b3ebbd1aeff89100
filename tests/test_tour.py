"""The tour: what it says on every kind of terminal, what it learns, what it writes, and how it is left."""

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from process import HEARS_INTERRUPTS

from convsym.digits import split_digits
from convsym.kernels._generated.rules import KERNELS
from convsym.terminal import Terminal
from convsym.tour import comparison, main, network, training

ESCAPE = "\x1b["
PROGRAM = "import sys; from pathlib import Path; from convsym.tour import main; sys.exit(main(Path(sys.argv[1]){}))"
SHORT = ", epochs=1"
NO_PROVER = "import sys; sys.modules['z3'] = sys.modules['islpy'] = None; "


def command(tmp_path, program):
    return [sys.executable, "-c", program, str(tmp_path)]


def run(tmp_path, program, **environment):
    return subprocess.run(
        command(tmp_path, program),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONUTF8": "1", **environment},
    )


def on_a_terminal(tmp_path, program, columns=80, **environment):
    """Output of a program whose standard streams are a terminal, and its exit code."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "PYTHONUTF8": "1", **environment}
    child = subprocess.Popen(
        command(tmp_path, program), stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    text = b""
    while select.select([leader], [], [], 300)[0]:
        try:
            block = os.read(leader, 65536)
        except OSError:  # Linux reports the closed other end this way
            break
        if not block:
            break
        text += block
    os.close(leader)
    return text.decode(), child.wait(timeout=60)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole tour once, piped: its answer and its report."""
    folder = tmp_path_factory.mktemp("tour")
    answer = run(folder, PROGRAM.format(""))
    assert answer.returncode == 0, answer.stderr
    return answer, (folder / "convsym-tour.html").read_text(encoding="utf-8")


def test_piped_output_is_plain_and_has_five_sections(whole):
    answer, _ = whole
    assert ESCAPE not in answer.stdout and "\r" not in answer.stdout
    assert re.findall(r"^(\d)\. ", answer.stdout, re.M) == list("12345")
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert answer.stderr == ""


def test_the_tour_proves_refutes_and_finds_no_differing_bit(whole):
    text = whole[0].stdout
    assert "dx is proved" in text and "dw is proved" in text
    assert "This claim is refuted" in text and "This one is proved" in text
    assert "δ-elimination" in text
    assert set(re.findall(r"(\d+) differing bits", text)) == {"0"}


def test_the_network_reads_at_least_96_percent(whole):
    last = re.findall(r"read ([\d.]+)%", whole[0].stdout)[-1]
    assert float(last) >= 96


class Page(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_report_needs_nothing_but_itself(whole):
    _, report = whole
    tags = Page(report).tags
    assert not {"script", "link", "iframe", "img", "object", "embed", "base"} & {tag for tag, _ in tags}
    for tag, attributes in tags:
        assert not {"src", "href", "xlink:href", "srcset", "data"} & set(attributes), tag
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert "://" not in (value or "")
    style = re.search(r"<style>(.*?)</style>", report, re.S)[1]
    assert "url(" not in style and "@import" not in style
    assert "://" not in report


def test_the_report_holds_formulas_curves_digits_and_filters(whole):
    _, report = whole
    assert report.count("<math") >= 3
    assert re.findall(r"<h2><span>(\d)</span>", report) == list("12345")
    for title in (
        "Loss",
        "Accuracy",
        "Held-out digits and what was read",
        "Learned filters of the first layer",
    ):
        assert f'aria-label="{title}' in report
    for svg in re.findall(r"<svg.*?</svg>", report, re.S):
        ET.fromstring(svg)
    for formula in re.findall(r"<math.*?</math>", report, re.S):
        ET.fromstring(formula)


def test_the_report_and_the_terminal_tell_the_same(whole):
    answer, report = whole
    right, held = re.search(r"(\d+) of (\d+) held-out digits read", answer.stdout).groups()
    assert f"<b>{right} of {held}</b>" in report
    assert len(re.findall(r">\d, is \d ✗<", report)) == int(held) - int(right)


def test_colors_and_a_bar_on_a_terminal(tmp_path):
    text, code = on_a_terminal(tmp_path, PROGRAM.format(SHORT))
    assert code == 0
    assert ESCAPE + "1;36m" in text and "█" in text and "100%" in text


@pytest.mark.slow
def test_no_color_is_honored_on_a_terminal(tmp_path):
    text, code = on_a_terminal(tmp_path, PROGRAM.format(SHORT), NO_COLOR="1")
    assert code == 0
    assert not re.search(r"\x1b\[[\d;]*m", text)


@pytest.mark.slow
def test_a_narrow_terminal_is_not_overrun(tmp_path):
    text, code = on_a_terminal(tmp_path, PROGRAM.format(SHORT + ", report=False"), columns=50)
    assert code == 0
    lines = re.split(r"\r\n|\r|\n", re.sub(r"\x1b\[[\d;]*[mK]", "", text))
    prose = [line for line in lines if not re.match(r"\s+epoch|.*[\w)\]]{30}", line)]
    assert max(map(len, prose)) < 50


@pytest.mark.slow
def test_a_dumb_terminal_gets_plain_lines(tmp_path):
    text, code = on_a_terminal(tmp_path, PROGRAM.format(SHORT), TERM="dumb")
    assert code == 0
    assert ESCAPE not in text


def test_without_a_prover_the_tour_still_runs_and_says_how_to_add_it(tmp_path):
    answer = run(tmp_path, NO_PROVER + PROGRAM.format(SHORT))
    assert answer.returncode == 0, answer.stderr
    assert "dx is unknown" in answer.stdout and "proved in" not in answer.stdout
    assert re.search(r"pip install .convsym\[prove\]", answer.stdout)
    assert re.search(r"checked +exact integers agree on \d+ small geometries", answer.stdout)
    assert "This claim is refuted" in answer.stdout
    assert "convsym[prove]" in (tmp_path / "convsym-tour.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("moment", ["1. One line", "epoch  1"])
def test_ctrl_c_leaves_with_one_sentence(tmp_path, moment):
    child = subprocess.Popen(
        command(tmp_path, HEARS_INTERRUPTS + PROGRAM.format(", epochs=1000")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    seen = ""
    while moment not in seen:
        line = child.stdout.readline()
        assert line, child.stderr.read()
        seen += line
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors == "The tour was stopped.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_early_causes_no_traceback(tmp_path):
    child = subprocess.Popen(command(tmp_path, PROGRAM.format(SHORT)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    errors = child.stderr.read()
    child.stderr.close()
    assert child.wait(timeout=300) == 141
    assert errors == b""


@pytest.mark.slow
def test_characters_the_stream_lacks_do_not_stop_the_tour(tmp_path):
    answer = run(tmp_path, PROGRAM.format(SHORT), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.isascii()


@pytest.mark.slow
def test_the_same_seed_learns_the_same_and_another_something_else():
    split = split_digits()
    first, again, other = (training.train(split, seed, 1, lambda *_: None) for seed in (0, 0, 1))
    for a, b in zip(first.parameters.arrays, again.parameters.arrays, strict=True):
        assert np.array_equal(a, b)
    assert first.epochs == again.epochs != other.epochs


def test_the_gradients_of_the_network_are_those_of_its_loss():
    """Numeric differences in float64 along random directions, an independent road to the same number."""
    rng = np.random.default_rng(3)
    start = network.initial(rng)
    doubles = network.Parameters.of([array.astype(float) for array in start.arrays])
    images, targets = rng.random((3, 1, 8, 8)), np.eye(10)[[1, 5, 9]]
    _, gradient = network.gradients(doubles, images, targets)
    for n, array in enumerate(doubles.arrays):
        direction = rng.standard_normal(array.shape)
        losses = []
        for step in (1e-6, -1e-6):
            moved = [a + step * direction if m == n else a for m, a in enumerate(doubles.arrays)]
            losses.append(network.gradients(network.Parameters.of(moved), images, targets)[0])
        slope = (losses[0] - losses[1]) / 2e-6
        assert slope == pytest.approx(float((gradient.arrays[n] * direction).sum()), rel=1e-6, abs=1e-9)


def test_differing_bits_are_counted():
    a = np.array([1.0, 2.0], np.float32)
    assert comparison.differing_bits(a, a.copy()) == 0
    assert comparison.differing_bits(a, np.array([1.0, -2.0], np.float32)) == 1
    assert comparison.differing_bits(a, a[:1]) == 64


def test_a_wrong_kernel_is_found_by_the_comparison(monkeypatch):
    """A mutant: the gradient of the neighbor one step to the left."""
    right = comparison.kernels.run

    def run_mutant(name, out, operands, parameters):
        right(name, out, operands, parameters)
        return np.roll(out, 1, axis=-1) if name == "conv1d_dx" else out

    monkeypatch.setattr(comparison.kernels, "run", run_mutant)
    check = comparison.compare(0)
    assert {each.kernel for each in check.comparisons if each.differing} == {"conv1d_dx"}


def test_every_kernel_of_a_level_is_compared():
    compared = {each.kernel for each in comparison.compare(1).comparisons}
    assert compared == {name for name, kernel in KERNELS.items() if kernel.leveled}


@pytest.mark.slow
def test_a_report_cut_short_leaves_the_old_one(tmp_path, monkeypatch):
    old = tmp_path / "convsym-tour.html"
    old.write_text("old")
    monkeypatch.setattr("convsym.tour.page", lambda *_: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        main(tmp_path, epochs=1, stream=io.StringIO())
    assert old.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["convsym-tour.html"]


@pytest.mark.parametrize(
    ("environment", "color", "live"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"NO_COLOR": ""}, True, True),
     ({"TERM": "dumb"}, False, False)],
)  # fmt: skip
def test_the_terminal_heeds_its_environment(environment, color, live):
    class Screen(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal.of(Screen(), environment)
    assert (terminal.color, terminal.live) == (color, live)
    assert not Terminal.of(io.StringIO(), environment).color
