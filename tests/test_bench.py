"""Measuring speed: layer files, timing, comparison, summaries, charts, pages and the command."""

import json
import math
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import convsym
from convsym import cli, explain
from convsym.bench import charts, command, machine, peers, results, running, summary, tables, timing, worker
from convsym.bench.layers import KINDS, ROLES, load, read, set_names
from convsym.bench.peers import OWN, PEERS, Task
from convsym.bench.results import Row, Run
from convsym.bench.roof import Limits, measure
from convsym.documents.performance import performance_pages
from convsym.errors import KernelError, ShapeError

NETWORKS = {
    *("seeds", "resnet50", "vgg16", "mobilenet", "efficientnet", "unet", "convnext", "deeplab", "audio", "video"),
    *("images", "digits", "deepbench"),
}
FIGURES = {"one_channel", "depthwise", "first_layers", "dense", "float64", "growth", "small"}
DOCS = Path(__file__).parents[1] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


# ------------------------------------------------------------------------------------------------------ layers


def test_the_sets_are_those_of_the_plan():
    assert set(set_names("network")) == NETWORKS
    assert set(set_names("figure")) == FIGURES
    assert set(set_names("quick")) == {"quick"}
    assert set(set_names()) == NETWORKS | FIGURES | {"quick"}


@pytest.mark.parametrize("name", set_names())
def test_every_layer_has_the_output_that_its_source_states(name):
    layers = load(name)
    assert layers.role in ROLES and layers.title and set(layers.kinds) <= set(KINDS)
    assert len({layer.name for layer in layers.layers}) == len(layers.layers)
    for layer in layers.layers:
        after = (layer.stride, layer.padding, layer.dilation, layer.groups)
        shapes = explain(f"conv{layer.rank}d", layer.input, layer.weight, *after).shapes
        assert shapes["output"][2:] == layer.output, layer.name
        assert layer.source


def test_a_wrong_output_in_a_file_would_be_seen():
    row = 'layers = [{ name = "a", input = [1, 1, 9], weight = [1, 1, 3], output = [9] }]'
    layer = read("t", f'title = "t"\nrole = "figure"\nsource = "s"\n{row}').layers[0]
    assert explain("conv1d", layer.input, layer.weight).shapes["output"][2:] != layer.output


def test_work_and_traffic_of_a_layer():
    layer = load("resnet50").layers[0]
    assert layer.flops == 2 * 112 * 112 * 64 * 3 * 7 * 7
    assert layer.bytes == 4 * (3 * 224 * 224 + 64 * 3 * 7 * 7 + 64 * 112 * 112)
    depthwise = next(layer for layer in load("depthwise").layers if layer.groups == 32)
    assert depthwise.flops == 2 * 112 * 112 * 32 * 9
    assert depthwise.is_planes and depthwise.is_same
    double = load("float64").layers[0]
    assert double.bytes == 2 * layer.bytes


@pytest.mark.parametrize("name", sorted(NETWORKS | FIGURES))
def test_a_layer_stays_below_a_second_of_one_core(name):
    assert max(layer.flops for layer in load(name).layers) < 4e10


def test_each_step_of_a_chain_doubles_the_work():
    layers = load("growth").layers
    assert {layer.chain for layer in layers} == {"channels", "pixels", "batch"}
    steps = [(a, b) for a, b in pairwise(layers) if a.chain == b.chain]
    assert len(steps) == len(layers) - 3
    assert all(b.flops == 2 * a.flops for a, b in steps)


def test_an_unknown_set_is_a_sentence():
    with pytest.raises(ShapeError, match=r"there is no set of layers 'resnet5'; .*resnet50"):
        load("resnet5")


# ------------------------------------------------------------------------------------------------------ timing


class Clock:
    """A clock that only calls move."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def call(self, name, seconds):
        durations = iter(seconds) if not isinstance(seconds, float) else None

        def run():
            self.calls.append(name)
            self.now += next(durations) if durations else seconds

        return run


def test_calls_take_turns_in_rotating_order():
    clock = Clock()
    calls = {name: clock.call(name, 1.0) for name in "abc"}
    found = timing.race(calls, 3.0, rounds=3, clock=clock, long="abc")
    assert "".join(clock.calls) == "abc" + "bca" + "cab"
    assert found["a"] == timing.Timing(1.0, 1.0, 3)


def test_best_and_median_are_of_the_samples():
    clock = Clock()
    found = timing.race({"a": clock.call("a", [9.0, 5.0, 2.0, 3.0, 7.0])}, 5.0, rounds=4, clock=clock)
    assert (found["a"].best, found["a"].median) == (2.0, 4.0)  # the first call finds out how long one takes


def test_short_calls_are_timed_several_at_a_time():
    clock = Clock()
    found = timing.race({"a": clock.call("a", 1e-6)}, 1e-3, rounds=1, clock=clock)
    assert found["a"].best == pytest.approx(1e-6)
    assert len(clock.calls) == pytest.approx(1 + 100 * found["a"].samples, abs=found["a"].samples)


def test_what_takes_too_long_ends_after_two_rounds():
    clock = Clock()
    timing.race({"a": clock.call("a", 10.0)}, 1.0, rounds=6, clock=clock, long="a")
    assert len(clock.calls) == 2


def test_limits_are_those_of_a_machine():
    found = measure(1, 0.03)
    assert set(found.peak) == {"float32", "float64"} and min(found.peak.values()) > 1e8 and found.bandwidth > 1e8
    limits = Limits(1, {"float32": 100.0}, 10.0)
    assert limits.seconds(1000, 10, "float32") == 10.0 and limits.seconds(10, 1000, "float32") == 100.0


# ------------------------------------------------------------------------------------------------------ peers


def small(kind="y", **changes):
    """A task small enough for a test."""
    layer = replace(load("small").layers[0], **changes)
    return Task(layer, kind)


@pytest.mark.parametrize("name", [OWN, *PEERS])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_installed_gives_the_results_of_convsym(name, kind):
    pytest.importorskip("convsym.kernels.baseline")
    opened, missing = peers.open_peers((name,) if name in PEERS else (), 1, (), 1)
    if name in missing:
        pytest.skip(missing[name])
    own, peer = opened[OWN], opened[name]
    done = 0
    for layer in (layer for name in ("small", "seeds", "images") for layer in load(name).layers):
        task = Task(layer, kind)
        if layer.flops < 2e6 and not peer.lacks(task):
            result = peer.array(peer.prepare(task)())
            assert worker.disagreement(result, own.array(own.prepare(task)()), layer.dtype) == ""
            done += 1
    assert (done > 0) == (kind in peer.kinds)


def test_an_installation_without_peers_says_who_is_missing(monkeypatch):
    def nowhere(threads):
        raise ModuleNotFoundError("No module named 'torch'")

    monkeypatch.setattr(peers, "PEERS", {**PEERS, "torch": nowhere})
    opened, missing = peers.open_peers(("torch", "numpy"), 1, (), 1)
    assert set(opened) >= {OWN, "numpy"}
    assert missing["torch"] == "not installed: No module named 'torch'"


def test_who_cannot_be_told_a_number_of_threads_is_left_out_of_others(monkeypatch):
    class Free(peers.NumPy):
        default_threads_only = True

    monkeypatch.setattr(peers, "PEERS", {"numpy": Free})
    assert peers.open_peers(("numpy",), 1, (), 2)[1]["numpy"] == "cannot be told to use 1 of 2 threads"
    assert "numpy" in peers.open_peers(("numpy",), 2, (), 2)[0]


@pytest.mark.parametrize(
    "name, changes, reason",
    [
        ("numpy", {"dilation": (2, 2)}, "the recipe has no groups and no dilation"),
        ("scipy.ndimage", {"padding": (0, 0)}, "gives as many outputs as inputs"),
        ("scipy.ndimage", {"weight": (2, 1, 3, 3)}, "does not add channels"),
        ("scipy.ndimage", {"input": (65, 1, 8, 8)}, "takes one plane at a time, and these are more than 64"),
        ("scipy.ndimage", {"stride": (2, 2)}, "has no stride and no dilation"),
        ("scipy.signal", {"padding": (2, 2)}, "pads by the kernel or not at all"),
        ("opencv", {"weight": (1, 1, 3), "input": (1, 1, 8)}, "has no 1-d convolution"),
        ("ncnn", {"input": (2, 1, 8, 8)}, "takes one image at a time"),
        ("ncnn", {"dtype": "float64"}, "does not compute float64"),
    ],
)
def test_what_a_peer_lacks_is_a_reason(name, changes, reason):
    peer = object.__new__(PEERS[name])
    assert peer.lacks(small(**changes)) == reason
    assert PEERS[name].kinds == KINDS or peer.lacks(small("dx")) == "has no gradients"


class Wrong(peers.NumPy):
    """A peer that pads one element too many, and one that fails."""

    def prepare(self, task):
        if task.kind == "dx":
            raise ValueError("no such thing\nsecond line")
        y = super().prepare(task)()
        return lambda: y + (1 if task.layer.dtype == "float32" else 0)

    kinds = KINDS


def test_a_peer_that_disagrees_or_fails_is_reported_and_not_timed():
    pytest.importorskip("convsym.kernels.baseline")
    both = {OWN: peers.Convsym(1), "wrong": Wrong(1), "numpy": peers.NumPy(1)}
    told = []
    checked = worker.check(small(), both, {}, told.append)
    assert set(checked.calls) == {OWN, "numpy"}
    assert checked.left_out["wrong"].startswith("disagrees by 0.")
    assert [event["peer"] for event in told] == list(both)
    assert worker.check(small("dx"), both, {}, told.append).left_out == {"wrong": "failed: ValueError: no such thing"}
    ended = worker.check(small(), both, {"numpy": "ended the process"}, told.append)
    assert ended.left_out["numpy"] == "ended the process" and set(ended.calls) == {OWN}
    assert set(worker.check(small(dtype="float64"), both, {}, told.append).calls) == set(both)


def test_disagreement_has_a_tolerance():
    truth = np.array([4.0, -8.0])
    assert worker.disagreement(truth + 8e-3, truth, "float32") == ""
    assert worker.disagreement(truth + 8e-2, truth, "float32") == "disagrees by 0.01 of the largest result"
    assert worker.disagreement(truth + 8e-8, truth, "float64") == "disagrees by 1e-08 of the largest result"
    assert worker.disagreement(truth[:1], truth, "float32").startswith("disagrees: its result has 1 elements")
    assert worker.disagreement(truth, None, "float32") == "convsym has no result to compare with"
    assert worker.disagreement(truth * np.nan, truth, "float32").startswith("disagrees")


# ------------------------------------------------------------------------------------------------------ running


def test_a_whole_job_in_a_process_of_its_own():
    pytest.importorskip("convsym.kernels.baseline")
    run, lines = running.new_run(0.001), []
    job = running.Job("small", 1, 0.001, ("numpy",), limit_seconds=0.01)
    running.measure(run, [job], lines.append, lambda job: lines.append("finished"))
    assert [row.layer for row in run.rows.values() if row.kind == "y"] == [layer.name for layer in load("small").layers]
    assert all(row.best[OWN] > 0 for row in run.rows.values())
    assert any("numpy" in row.best for row in run.rows.values()) and run.peers["numpy"] == np.__version__
    assert lines[-1] == "finished" and len(lines) == len(run.rows) + 1


def scripted(monkeypatch, *processes):
    """Let the processes of jobs say what is given, one list of events after the other."""
    jobs, queue = [], [list(events) for events in processes]

    def events(job):
        jobs.append(job)
        yield from (dict(event) for event in queue.pop(0))

    monkeypatch.setattr(running, "events", events)
    return jobs


def row_event(layer, kind, **best):
    return {"event": "row", "set": "small", "layer": layer, "kind": kind, "dtype": "float32", "threads": 1, "flops": 8,
            "bytes": 4, "best": best, "median": best, "left_out": {}, "chain": ""}  # fmt: skip


def test_a_peer_that_ends_the_process_is_left_out_and_the_rest_goes_on(monkeypatch):
    names = [layer.name for layer in load("small").layers]
    rows = [row_event(name, kind, convsym=1.0) for name in names for kind in KINDS]
    jobs = scripted(
        monkeypatch,
        [rows[0], {"event": "trying", "peer": "ncnn", "layer": names[0], "kind": "dx"},
         {"event": "died", "message": "exit code -11"}],
        [{"event": "timing", "layer": names[0], "kind": "dx"}, {"event": "died", "message": "exit code 1"}],
        [*rows[2:], {"event": "end"}],
    )  # fmt: skip
    run = Run({}, {})
    running.measure(run, [running.Job("small", 1, 0.1)], lambda line: None, lambda job: None)
    assert [len(job.rows) for job in jobs] == [9, 8, 7]
    assert jobs[1].left_out == {"ncnn": "ended the process: exit code -11"}
    assert len(run.rows) == 9
    assert run.rows["small", names[0], "dx", 1].left_out == {OWN: "ended the process: exit code 1"}


def test_a_process_that_never_begins_is_an_error(monkeypatch):
    scripted(monkeypatch, [{"event": "died", "message": "exit code 1: No module named numpy"}])
    with pytest.raises(KernelError, match="measures small ended before its first row: exit code 1: No module"):
        running.measure(Run({}, {}), [running.Job("small", 1, 0.1)], print, print)


@pytest.mark.parametrize("again, torch, samples", [(True, 0.9, 24), (True, 0.96, 6), (False, 0.9, 6)])
def test_a_row_below_torch_is_measured_again_with_more_rounds(monkeypatch, again, torch, samples):
    clock = Clock()
    monkeypatch.setattr(worker, "race", partial(timing.race, clock=clock))
    calls = {OWN: clock.call(OWN, 1.0), "torch": clock.call("torch", torch)}
    found, first = worker._timed(worker.Checked(calls, set(calls)), {"threads": 1, "seconds": 6.0, "again": again})
    assert found[OWN].samples == samples
    assert {name: each.samples for name, each in first.items()} == ({} if samples == 6 else {OWN: 6, "torch": 12})


def test_a_worker_that_dies_says_so(monkeypatch):
    job = running.Job("no such set", 1, 0.1, rows=((0, "y"),))
    *_, last = running.events(job)
    assert last["event"] == "died"
    assert last["message"].startswith("exit code 1: convsym.errors.ShapeError: there is no set")


# ------------------------------------------------------------------------------------------------------ summaries


def made_up(threads=(1,)):
    """A run of made-up times: powers of two, so that means are easily seen."""
    facts = {"processor": "Abacus(R) X1 CPU @ 2 GHz", "cpus": "2", "level": "v3", "convsym": "1", "date": "2026-01-02"}
    run = Run(facts, {"peak": "a count", "bandwidth": "a guess"})
    run.peers, run.missing = {OWN: "1", "torch": "2"}, {"jax": "absent"}
    for count in threads:
        run.add_limits(Limits(count, {"float32": 1e9, "float64": 5e8}, 1e8))
        for name, ratios in (("seeds", (2, 8)), ("vgg16", (0.5, 0.9)), ("float64", (4, 4)), ("dense", (3, 3))):
            for place, ratio in enumerate(ratios):
                for kind in load(name).kinds:
                    layer = load(name).layers[place]
                    best = {OWN: 0.25, "torch": 0.25 * ratio, "ncnn": 0.125 if place else 1.0, f"{OWN} direct": 0.5}
                    best = best if kind == "y" else {key: best[key] for key in (OWN, "torch")}
                    run.add(
                        Row(
                            name,
                            layer.name,
                            kind,
                            layer.dtype,
                            count,
                            int(1e8),
                            int(1e6),
                            best,
                            best,
                            {"opencv": "failed: x"},
                        )
                    )
        seconds = [1.0, 2.0, 4.2, 11.0]
        for layer, taken in zip(load("growth").layers, seconds, strict=False):
            times = {OWN: taken}
            run.add(Row("growth", layer.name, "y", "float32", count, layer.flops, 1, times, times, {}, layer.chain))
    return run


def test_means_weigh_the_sets_equally():
    run = made_up()
    found = summary.means(run, 1, "dx", summary.against("torch"))
    assert found == pytest.approx({"seeds": 4.0, "vgg16": math.sqrt(0.45)})
    assert summary.overall(run, 1, "dx", summary.against("torch")) == pytest.approx(math.sqrt(4 * math.sqrt(0.45)))
    assert summary.overall(run, 2, "dx", summary.against("torch")) is None


def test_the_best_rival_is_found_layer_by_layer():
    run = made_up()
    found = summary.means(run, 1, "y", summary.against_best())
    assert found == pytest.approx({"seeds": math.sqrt(2 * 0.5), "vgg16": math.sqrt(0.5 * 0.5)})
    assert summary.means(run, 1, "y", summary.against_best(summary.PLAN)) == {}


def test_the_losses_are_listed_the_worst_first():
    run = made_up()
    assert [ratio for _, ratio in summary.below(run, 1, "y", 0.95)] == pytest.approx([0.5, 0.9])
    assert summary.share_below(run, 1, "y", 0.95) == 0.5
    assert summary.share_below(run, 1, "y", 0.85) == 0.25
    assert summary.share_below(run, 1, "y", 0.5) == 0.0


def test_growth_is_of_steps_of_one_chain_and_its_median_of_large_work():
    run = made_up()
    steps = summary.growth(run, 1)
    assert [step.growth for step in steps] == pytest.approx([2.0, 2.1, 11 / 4.2])
    assert all(step.flops < 2e7 for step in steps) and summary.median_growth(run, 1) is None
    for row in list(run.rows.values()):
        run.rows[row.key] = replace(row, flops=row.flops * 1000)
    assert summary.median_growth(run, 1) == pytest.approx(2.1)


def test_torchs_growth_is_beside_ours_and_on_the_page(tmp_path):
    run = made_up()
    assert [step.peer for step in summary.growth(run, 1)] == [None, None, None]
    for place, row in enumerate([row for row in run.rows.values() if row.set == "growth"]):
        times = {**row.best, "torch": 3.0**place}
        run.rows[row.key] = replace(row, best=times, median=times)
    assert [step.peer for step in summary.growth(run, 1)] == pytest.approx([3.0, 3.0, 3.0])
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    run.save(results / "made-up.json")
    page, layer = performance_pages(tmp_path / "docs")["performance.md"], load("growth").layers[3]
    assert f"| {layer.name} | y | 2.62 | 3.00 | 11.0 s | {layer.flops:.2g} | {layer.bytes / 2**20:.1f} MiB |" in page


def test_the_figures_say_what_is_reached():
    found = {figure.name: figure for figure in summary.figures(made_up(), 1)}
    assert found["float64: dx against torch"].value == pytest.approx(4.0) and found["float64: dx against torch"].reached
    assert found["y: share of layers below 0.95 of torch"].reached is False
    assert found["dx against torch"].reached is False
    assert found["y against the best rival, by plan"].reached is None
    dense = found["dense 3x3 layers, convsym direct: rate by the multiply-add peak"]
    assert dense.value == pytest.approx(1e8 / 0.5 / 1e9) and dense.reached is False
    assert [f.name for f in summary.figures(made_up(), 7)] == list(found)
    assert {f.value for f in summary.figures(made_up(), 7)} == {None}


def test_a_share_of_the_limit():
    run = made_up()
    row = next(iter(run.rows.values()))
    assert run.share_of_limit(row) == pytest.approx(0.1 / 0.25)
    assert run.share_of_limit(replace(row, bytes=int(1e8))) == pytest.approx(1 / 0.25)
    assert run.share_of_limit(replace(row, threads=9)) is None
    assert run.share_of_limit(row, "nobody") is None


def test_limits_measured_twice_count_by_the_highest():
    run = made_up()
    run.add_limits(Limits(1, {"float32": 5e8, "float64": 6e8}, 2e8))
    assert run.limits[1] == Limits(1, {"float32": 1e9, "float64": 6e8}, 2e8)


def test_a_run_survives_its_file(tmp_path):
    run = made_up((1, 2))
    run.save(tmp_path / "run.json")
    assert results.load(tmp_path / "run.json") == run
    json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "other.json").write_text('{"format": 7}')
    with pytest.raises(ShapeError, match=r"other.json holds no measurement of format 1; write one with"):
        results.load(tmp_path / "other.json")


def test_the_name_of_a_machine_is_fit_for_a_file():
    assert machine.slug(made_up().machine) == "2026-01-02-abacus-x1-2"
    assert set(made_up().machine) <= set(machine.facts())


# ------------------------------------------------------------------------------------------------------ tables, charts


@pytest.mark.parametrize(
    "seconds, text",
    [
        (1.5, "1.50 s"),
        (0.25, "250 ms"),
        (0.0123, "12.3 ms"),
        (4.2e-6, "4.20 µs"),
        (9.996e-4, "1.00 ms"),
        (1e-8, "0.01 µs"),
    ],
)
def test_a_duration(seconds, text):
    assert tables.duration(seconds) == text


def test_the_table_of_a_set():
    lines = tables.layer_table(made_up(), "seeds", 1).splitlines()
    assert lines[0] == "The seeds' examples, 1 thread"
    assert lines[1].split() == [
        "layer",
        "of",
        "convsym",
        "GFLOP/s",
        "of",
        "limit",
        "torch",
        "ncnn",
        "convsym",
        "direct",
    ]
    assert lines[2].split()[-7:] == ["ms", "0.4", "40%", "2.00", "4.00", "2.00"][-7:] or "2.00" in lines[2]
    assert "opencv at 1-D, stereo to 16 channels y: failed: x" in lines[-1]


def svg(text):
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg" and root.find(f"{SVG}title").text and root.find(f"{SVG}desc").text
    return root


def marked(root, name):
    return [float(each.get(name)) for each in root.iter() if each.get(name)]


def test_the_charts_draw_every_layer_and_every_mean():
    run = made_up()
    root = svg(charts.ratio_chart(run, 1))
    assert sorted(marked(root, "data-dot")) == sorted(3 * [2, 8, 0.5, 0.9])
    assert sorted(marked(root, "data-mean")) == pytest.approx(sorted(3 * [4, 0.6708]))
    assert sorted(marked(svg(charts.ratio_chart(run, 1, None)), "data-dot")) == [0.5, 0.5, 0.5, 2]
    assert set(marked(svg(charts.limit_chart(run, 1)), "data-dot")) == {0.4, 0.2, 0.8}
    steps = [each.get("data-step") for each in svg(charts.growth_chart(run, 1)).iter() if each.get("data-step")]
    assert steps == [f"channels {place}" for place in range(4)]
    (
        svg(charts.ratio_chart(Run({}, {}), 1)),
        svg(charts.growth_chart(Run({}, {}), 1)),
        svg(charts.limit_chart(Run({}, {}), 1)),
    )


def test_a_scale_is_logarithmic_and_keeps_within_its_ends():
    scale = charts.Scale(0.25, 4.0, 100)
    assert [scale.place(value) for value in (0.01, 0.25, 1, 4, 99)] == pytest.approx([0, 0, 50, 100, 100])


def test_the_page_shows_losses_as_plainly_as_wins(tmp_path):
    (tmp_path / "docs").mkdir()
    assert performance_pages(tmp_path / "docs") == {}
    folder = tmp_path / "benchmarks" / "results"
    folder.mkdir(parents=True)
    made_up((1, 2)).save(folder / "2026-01-02-abacus-2.json")
    older = made_up((1,))
    older.machine |= {"processor": "Counting frame", "level": "baseline", "date": "2025-01-02"}
    older.save(folder / "2025-01-02-older-2.json")
    pages = performance_pages(tmp_path / "docs")
    text = pages["performance.md"]
    elsewhere = "### On Counting frame, level baseline, 2025-01-02\n\n| figure | goal | 1 thread |\n"
    assert f"{elsewhere}| --- | --- | --- |\n| y against torch | ≥ 1.80 | **1.64 ✗** |" in text
    assert "2026-01-02-abacus-2.json" in text and "Abacus" in text
    assert "| y against torch | ≥ 1.80 | **1.64 ✗** | **1.64 ✗** |" in text
    assert "1 thread, dw (gradient by the weight): 2 of 4 layers below 0.95 of torch, 1 below 0.85<" in text
    assert "| VGG-16 | conv1_1 | 0.50 | 0.50 |\n| VGG-16 | conv1_2 | 0.90 | 0.90 |" in text
    fastest = "convsym on 1, onnxruntime on 0, openvino on 0, ncnn on 2, torch on 1"
    assert f"1 thread: 3 of 4 layers; fastest of all: {fastest}<" in text
    assert "jax took no part: absent" in text and "* **opencv** failed: x: " in text
    assert all(f"(figures/{name.removeprefix('figures/')})" in text for name in pages if name.endswith(".svg"))
    for name, content in pages.items():
        if name.endswith(".svg"):
            svg(content)
    assert performance_pages(tmp_path / "docs") == pages


def test_the_committed_page_is_that_of_the_newest_measurement():
    made = performance_pages(DOCS)
    stale = [name for name, text in made.items() if (DOCS / name).read_bytes() != text.encode()]
    assert not stale, f"run `convsym doc` and commit: {', '.join(stale)}"
    assert (DOCS / "performance.md").is_file()


# ------------------------------------------------------------------------------------------------------ the command


@pytest.fixture
def run_command(capsys):
    def call(*arguments):
        try:
            code = cli.main(["bench", *arguments])
        except SystemExit as stop:  # argparse
            code = stop.code or 0
        return code, *capsys.readouterr()

    return call


def test_the_command_prints_tables_and_writes_json(run_command, tmp_path):
    pytest.importorskip("convsym.kernels.baseline")
    path = tmp_path / "out.json"
    arguments = ("--set", "small", "--peer", "numpy", "--threads", "1", "--seconds", "0.001", "--json", str(path))
    code, out, err = run_command(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith(f"convsym {convsym.__version__}, level ") and "Small calls, 1 thread" in out
    assert "above 1 convsym is faster" in out
    assert {row.set for row in results.load(path).rows.values()} == {"small"}


def test_without_torch_the_command_says_so(monkeypatch, run_command):
    run = made_up()
    run.missing["torch"] = "not installed: No module named 'torch'"
    text = command.report(run, ["seeds"], 1)
    assert "torch took no part: not installed" in text and 'pip install "convsym[bench]"' in text
    assert "geometric mean against torch: y 4.00, dx 4.00, dw 4.00" in text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--set", "resnet"), "there is no set of layers 'resnet'"),
        (("--peer", "tensorflow"), "there is no peer 'tensorflow'; known are torch, jax, "),
        (("--threads", "0"), "0 is not at least 1"),
        (("--threads", "many"), "invalid"),
        (("--seconds", "-1"), "-1 is no positive number of seconds"),
    ],
)
def test_wrong_usage_is_a_sentence(run_command, arguments, message):
    code, out, err = run_command(*arguments)
    assert (code, out) == (2, "") and message in err and "Traceback" not in err


def test_a_row_without_a_time_of_convsym_fails_the_command(monkeypatch, run_command):
    def measure(run, jobs, tell, finished):
        run.add_limits(Limits(jobs[0].threads, {"float32": 1.0}, 1.0))
        run.add(Row("small", "a", "y", "float32", jobs[0].threads, 1, 1, {}, {}, {OWN: "failed: KernelError: no"}))

    monkeypatch.setattr(command, "measure", measure)
    code, out, _ = run_command("--set", "small")
    assert code == 1 and "convsym at a y: failed: KernelError: no" in out


def test_no_sympy_is_loaded_for_a_measurement():
    program = "import sys, convsym.bench.worker, convsym.bench.command; print('sympy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
