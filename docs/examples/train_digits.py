"""A LeNet learns the handwritten digits that come with the package, on the tape; the gradients are derived rules.

    python docs/examples/train_digits.py [--seeds 0 1 2 3 4] [--epochs 30]

It prints the share of held-out digits (360 of 1,797, always the same ones) that each network reads correctly.
"""

import argparse
import time
from statistics import fmean

import numpy as np

from convsym import autograd, nn
from convsym.digits import split_digits

BATCH, RATE, INK = 32, 3e-3, 16


def lenet(rng, dtype=np.float32):
    """LeCun's network (1998) for 8 × 8 images: convolution, relu, mean, twice; then two matrices."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, rng=rng, dtype=dtype), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, rng=rng, dtype=dtype), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(256, 128, rng=rng, dtype=dtype), nn.ReLU(), nn.Linear(128, 10, rng=rng, dtype=dtype),
    )  # fmt: skip


def prepared(images, dtype=np.float32):
    """Images (n, 8, 8) of ink as (n, 1, 8, 8) from 0 to 1."""
    return images[:, None].astype(dtype) / INK


def moved(images, rng):
    """Every other batch is moved by up to one pixel each way, so that the network does not learn places by heart."""
    if rng.random() < 0.5:
        return images
    down, right = rng.integers(0, 3, 2)
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.ascontiguousarray(framed[:, :, down : down + 8, right : right + 8])


def train(seed, epochs, dtype=np.float32):
    """A network after so many passes; the seed decides its first weights, the order and the moves of the images."""
    split, rng = split_digits(), np.random.default_rng(seed)
    net = lenet(rng, dtype)
    adam = nn.Adam(net.parameters(), RATE)
    batches = nn.DataLoader(
        prepared(split.train_images, dtype), split.train_labels.astype(np.int64),
        batch_size=BATCH, shuffle=True, rng=rng, progress=True,
    )  # fmt: skip
    for step in range(epochs):
        for images, labels in batches:
            adam.zero_grad()
            loss = autograd.cross_entropy(net(moved(images, rng)), labels)
            loss.backward()
            adam.step()
            adam.lr -= RATE / (epochs * len(batches))
            batches.words = f"of pass {step + 1}, loss {loss.item():.3f}"
    return net


def accuracy(net):
    """The share of the held-out digits that a network reads correctly."""
    split = split_digits()
    with autograd.no_grad():
        scores = net(prepared(split.held_images, net.parameters()[0].dtype))
    return float(np.mean(scores.numpy().argmax(1) == split.held_labels))


def main():
    """Print a line for each seed, and the mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    shares = []
    for seed in given.seeds:
        begin = time.perf_counter()
        shares.append(accuracy(train(seed, given.epochs)))
        print(f"seed {seed}: {shares[-1]:.2%} after {time.perf_counter() - begin:.1f} s", flush=True)
    print(f"mean: {fmean(shares):.2%}")


if __name__ == "__main__":
    main()
