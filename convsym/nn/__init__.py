"""Layers, optimizers and data for small networks, on the tape of `convsym.autograd`.

    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(256, 10))
    adam = nn.Adam(net.parameters(), lr=3e-3)
    for images, labels in nn.DataLoader(x, t, batch_size=32, shuffle=True, progress=True):
        adam.zero_grad()
        autograd.cross_entropy(net(images), labels).backward()
        adam.step()
"""

from convsym.nn.archives import load, save
from convsym.nn.convolutions import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from convsym.nn.layers import AvgPool1d, AvgPool2d, AvgPool3d, Flatten, Linear, ReLU
from convsym.nn.loading import DataLoader
from convsym.nn.module import Module, Sequential
from convsym.nn.onnx_reading import Network, from_onnx
from convsym.nn.onnx_writing import to_onnx
from convsym.nn.optimizers import SGD, Adam

__all__ = [
    "SGD",
    "Adam",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "DataLoader",
    "Flatten",
    "Linear",
    "Module",
    "Network",
    "ReLU",
    "Sequential",
    "from_onnx",
    "load",
    "save",
    "to_onnx",
]
