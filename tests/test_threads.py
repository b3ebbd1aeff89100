"""How many threads a call uses: for a block, by threadpoolctl, and that no bit depends on it."""

import asyncio
import contextvars
import threading
from importlib.util import find_spec

import numpy as np
import pytest
from process import run_python

import convsym
from convsym import grad, kernels
from convsym.kernels import levels, threads

needs_openmp = pytest.mark.skipif(not levels.build_record()["openmp"], reason="built without OpenMP")
needs_threadpoolctl = pytest.mark.skipif(find_spec("threadpoolctl") is None, reason="threadpoolctl is not installed")

# A process that has computed with several threads has more than one task; one that was kept to one thread has not.
ALONE = """
import os
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np, convsym
from threadpoolctl import threadpool_limits, threadpool_info
convsym.set_num_threads(3)
x, w = np.ones((1, 8, 64, 64), "f"), np.ones((8, 8, 3, 3), "f")
def tasks():
    convsym.conv2d(x, w)
    return len(os.listdir("/proc/self/task"))
"""


def in_another_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@needs_openmp
def test_blocks_are_nested_and_end():
    convsym.set_num_threads(5)
    with convsym.threads(3):
        assert convsym.get_num_threads() == 3
        with convsym.threads(2), convsym.threads(7):
            assert convsym.get_num_threads() == 7
        with pytest.raises(KeyError), convsym.threads(4):
            raise KeyError
        assert convsym.get_num_threads() == 3
        with convsym.threads(None):
            assert convsym.get_num_threads() == 5
        convsym.set_num_threads(6)
        assert convsym.get_num_threads() == 3
    assert convsym.get_num_threads() == 6


@needs_openmp
def test_a_block_decorates_functions():
    decorated = convsym.threads(3)(convsym.get_num_threads)
    assert [decorated(), decorated(), convsym.get_num_threads()] == [3, 3, threads.default_count()]


@needs_openmp
def test_a_block_holds_in_its_own_thread_and_context():
    convsym.set_num_threads(5)
    with convsym.threads(3):
        assert in_another_thread(convsym.get_num_threads) == 5
        context = contextvars.copy_context()
    assert convsym.get_num_threads() == 5
    assert context.run(convsym.get_num_threads) == 3


@needs_openmp
def test_blocks_of_several_tasks_do_not_mix():
    async def task(count):
        with convsym.threads(count):
            seen = []
            for _ in range(3):
                await asyncio.sleep(0)
                seen += [convsym.get_num_threads(), await asyncio.to_thread(convsym.get_num_threads)]
            return seen

    async def both():
        return await asyncio.gather(task(2), task(7))

    convsym.set_num_threads(5)
    assert asyncio.run(both()) == [[2] * 6, [7] * 6]
    assert convsym.get_num_threads() == 5


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (True, ValueError), (1.5, TypeError), ("2", TypeError)])
def test_a_wrong_number_is_an_error_before_the_block(count, error):
    with pytest.raises(error, match="a number of threads is an integer of at least 1, or None"):
        convsym.threads(count)


def test_small_calls_do_not_ask_for_the_number(monkeypatch):
    def asked():
        raise AssertionError

    monkeypatch.setattr(kernels, "get_num_threads", asked)
    convsym.conv2d(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), np.ones(1))


def test_the_number_of_threads_of_a_block_is_used(monkeypatch):
    seen = []
    monkeypatch.setattr(kernels, "guard_fork", lambda: seen.append(convsym.get_num_threads()))
    x, w = np.ones((1, 8, 64, 64)), np.ones((8, 8, 3, 3))
    for count in (1, 3):
        with convsym.threads(count):
            convsym.conv2d(x, w)
    assert set(seen) <= {3} and bool(seen) == levels.build_record()["openmp"]


# ------------------------------------------------------------------------------------------------- the same bits


def calls(dtype):
    """Every function whose work is cut for threads, on arrays that are large enough for a team."""
    fill = np.random.default_rng(3)

    def array(*shape):
        return (50 * fill.standard_normal(shape)).astype(dtype)

    x, w, b = array(2, 6, 40, 40), array(8, 3, 3, 3), array(8)
    steps = {"stride": (1, 2), "padding": 1, "groups": 2}
    y = convsym.conv2d(x, w, **steps)
    wt = array(6, 4, 3, 3)
    line, taps = array(4, 16, 900), array(32, 16, 9)
    yield "conv1d", lambda: convsym.conv1d(line, taps)
    yield "conv2d", lambda: convsym.conv2d(x, w, b, **steps)
    yield "circular", lambda: convsym.conv2d(x, w, padding=1, groups=2, padding_mode="circular")
    yield "dilated", lambda: convsym.conv2d(x, w, padding=1, groups=2, input_dilation=2)
    yield "conv2d_input", lambda: grad.conv2d_input(x.shape, w, y, **steps)
    yield "conv2d_weight", lambda: grad.conv2d_weight(x, w.shape, y, **steps)
    yield "each sample", lambda: grad.conv2d_weight(x, w.shape, y, **steps, reduce_batch=False)
    yield "conv_bias", lambda: grad.conv2d_bias(y)
    yield "conv_transpose2d", lambda: convsym.conv_transpose2d(x, wt, stride=2)
    yield "conv3d", lambda: convsym.conv3d(array(1, 2, 12, 20, 20)[:, :1], array(4, 1, 3, 3, 3))
    if np.dtype(dtype).kind == "f":
        yield "avg_pool2d", lambda: convsym.avg_pool2d(x, 5, 1)
        yield "avg_pool2d_input", lambda: grad.avg_pool2d_input(x.shape, convsym.avg_pool2d(x, 5, 1), 5, 1)
    yield "unfold", lambda: convsym.unfold(x, (3, 3))
    yield "fold", lambda: convsym.fold(convsym.unfold(x, (3, 3)), (40, 40), (3, 3))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "float16", "int32"])
def test_no_bit_of_any_function_depends_on_the_number_of_threads(dtype):
    results = []
    for count in (1, 2, 3, 5, 8):
        with convsym.threads(count):
            results.append({name: call().tobytes() for name, call in calls(dtype)})
    for name, alone in results[0].items():
        assert all(result[name] == alone for result in results), name


# ------------------------------------------------------------------------------------------------- threadpoolctl


@needs_openmp
@needs_threadpoolctl
def test_threadpoolctl_limits_convsym_without_being_told_of_it():
    program = f"""{ALONE}
convsym.get_num_threads()  # loads the OpenMP runtime, as a first call does
with threadpool_limits(1):
    print(tasks(), convsym.get_num_threads())
    with convsym.threads(2):
        print(convsym.get_num_threads())
with threadpool_limits(1, user_api="openmp"):
    print(tasks(), convsym.get_num_threads())
with threadpool_limits(1, user_api="blas"):
    print(convsym.get_num_threads())
print(tasks() > 1, convsym.get_num_threads())
"""
    assert run_python(program, OMP_NUM_THREADS="3").split() == "1 1 1 1 1 3 True 3".split()


@needs_openmp
@needs_threadpoolctl
def test_a_limit_from_before_the_first_call_holds_where_the_runtime_is_loaded():
    program = """
from threadpoolctl import threadpool_limits
import convsym
from convsym.kernels.levels import load
load("plain")
with threadpool_limits(1):
    print(convsym.get_num_threads())
convsym.set_num_threads(4)
print(convsym.get_num_threads())
"""
    assert run_python(program, OMP_NUM_THREADS="3").split() == ["1", "4"]


@needs_openmp
@needs_threadpoolctl
def test_registered_it_is_listed_and_limited_by_name():
    program = f"""{ALONE}
import threading
convsym.register_threadpoolctl()
convsym.register_threadpoolctl()
print([library["num_threads"] for library in threadpool_info() if library["user_api"] == "convsym"])
print([library["version"] == convsym.__version__ for library in threadpool_info() if library["prefix"] == "plain."])
with threadpool_limits({{"convsym": 2}}):
    print([library["num_threads"] for library in threadpool_info() if library["user_api"] == "convsym"])
    with threadpool_limits({{"convsym": 1}}):
        print(tasks())
    print(convsym.get_num_threads())
    other = threading.Thread(target=lambda: print(convsym.get_num_threads()))
    other.start(); other.join()
    convsym.set_num_threads(8)
print(convsym.get_num_threads())
with threadpool_limits(1):
    print(convsym.get_num_threads())
with threadpool_limits(9):
    print(convsym.get_num_threads())
print(convsym.get_num_threads())
"""
    found = run_python(program, OMP_NUM_THREADS="3").splitlines()
    assert found == ["[3]", "[True]", "[2]", "1", "2", "3", "8", "1", "8", "8"]


def test_the_import_loads_no_threadpoolctl():
    program = """
        import sys, convsym
        convsym.get_num_threads(), convsym.register_threadpoolctl
        print('threadpoolctl' in sys.modules)
    """
    assert run_python(program) == "False\n"
