"""A step of training (forward, backward, update) against torch: the same networks, weights, batches and optimizer.

    python benchmarks/training.py [--threads 1] [--seconds 2] [--profile]

Both take turns in one process, a turn at a time, so that what else the machine does falls on both alike; the losses of
the first steps are compared before anything is timed. With --profile it prints where convsym's steps spend their time.
"""

import argparse
import cProfile
import os
import platform
import pstats
from datetime import date

BATCH, RATE, MOMENTUM = 64, 1e-3, 0.9
AGREEMENT, STEPS = 1e-4, 3


def arguments():
    """What is asked for; the number of threads is set before anything that reads it is loaded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=2.0, help="for each competitor and network")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(given.threads)
    return given


def lenet(nn, channels=(1, 6, 16)):
    """LeCun's network (1998) for images of 28 × 28, with relu: two convolutions and three matrices."""
    return nn.Sequential(
        nn.Conv2d(channels[0], channels[1], 5, padding=2), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(channels[1], channels[2], 5), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def six_layers(nn):
    """Six convolutions for images of 3 × 32 × 32, such as CIFAR's."""
    layers = []
    for into, out in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU()]
        layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


NETWORKS = {"LeNet, 1×28×28": (lenet, (1, 28, 28)), "six layers, 3×32×32": (six_layers, (3, 32, 32))}


def ours(net, x, labels):
    """A step of convsym, which gives the loss."""
    from convsym import autograd, nn

    optimizer = nn.SGD(net.parameters(), RATE, MOMENTUM)

    def step():
        optimizer.zero_grad()
        loss = autograd.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def theirs(net, x, labels):
    """A step of torch, which gives the loss."""
    import torch

    optimizer = torch.optim.SGD(net.parameters(), RATE, MOMENTUM)
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def steps_of(make, shape):
    """A step of each on the same weights and images; the losses of the first steps agree."""
    import numpy as np
    import torch

    from convsym import nn

    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, *shape)).astype(np.float32)
    labels = rng.integers(0, 10, BATCH)
    net, peer = make(nn), make(torch.nn)
    for parameter, other in zip(net.parameters(), peer.parameters(), strict=True):
        parameter.data = other.detach().numpy().copy()
    calls = {"convsym": ours(net, x, labels), "torch": theirs(peer, x, labels)}
    for _ in range(STEPS):
        losses = [call() for call in calls.values()]
        assert abs(losses[0] - losses[1]) < AGREEMENT, losses
    return calls


def main():
    """Print one table."""
    given = arguments()
    import torch

    import convsym
    from convsym.bench.timing import REST, race

    torch.set_num_threads(given.threads)
    convsym.set_num_threads(given.threads)
    print(f"{date.today()}, {platform.machine()}, {given.threads} thread(s), float32, batch {BATCH}, SGD, momentum,")
    print(f"torch {torch.__version__}: milliseconds of the median step (of the fastest)\n")
    print("| network | convsym | torch | torch / convsym |\n| --- | --- | --- | --- |")
    for name, (make, shape) in NETWORKS.items():
        calls = steps_of(make, shape)
        timings = race(calls, given.seconds, rounds=20, rest=REST)
        own, other = timings["convsym"], timings["torch"]
        cells = [f"{1e3 * each.median:.2f} ({1e3 * each.best:.2f})" for each in (own, other)]
        print(f"| {name} | {' | '.join(cells)} | {other.median / own.median:.2f} ({other.best / own.best:.2f}) |")
        if given.profile:
            profile(calls["convsym"])


def profile(step, count=50):
    """Where the time of so many steps goes, per step."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(count):
        step()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
