"""Parameters in ``.npz`` files: arrays by name, never pickles, so a file from anywhere can be read safely."""

import os
import zipfile
from pathlib import Path

import numpy as np

from convsym.errors import ShapeError
from convsym.gate import Array
from convsym.nn.module import Module


def save(path: str | os.PathLike[str], module: Module) -> None:
    """Write the parameters of a module to a file.

    Parameters
    ----------
    path : str or path
        What is there is replaced once the new file is complete.
    module : Module

    Raises
    ------
    OSError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from convsym import nn
    >>> trained, fresh = nn.Linear(3, 2), nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nn.save(Path(folder, "net.npz"), trained)
    ...     nn.load(Path(folder, "net.npz"), fresh)
    >>> bool((fresh.weight.data == trained.weight.data).all())
    True
    """
    target = Path(path)
    arrays = {name: parameter.data for name, parameter in module.named_parameters().items()}
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            for name, array in arrays.items():
                # An entry of its own has no time of day: the same parameters give the same bytes.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load(path: str | os.PathLike[str], module: Module) -> None:
    """Read the parameters of a module from a file. Nothing changes unless all of them fit.

    Parameters
    ----------
    path : str or path
        Written by `save`, or by ``numpy.savez`` with the same names.
    module : Module
        Of the same layers.

    Raises
    ------
    ShapeError
        Names or shapes are not those of the module's parameters.
    TypeError
        A dtype is not.
    ValueError
        The file is no ``.npz``, or holds pickled objects.
    """
    parameters = module.named_parameters()
    found = _arrays(path)
    for name in sorted(parameters.keys() - found.keys()):
        raise ShapeError(f"{os.fspath(path)} holds no array {name!r}, and the module has that parameter")
    for name in sorted(found.keys() - parameters.keys()):
        raise ShapeError(f"{os.fspath(path)} holds an array {name!r}, and the module has no such parameter")
    for name, parameter in parameters.items():
        array = found[name]
        if array.shape != parameter.shape:
            raise ShapeError(f"{name!r} has shape {array.shape} in the file, and {parameter.shape} in the module")
        if array.dtype != parameter.dtype:
            raise TypeError(f"{name!r} is {array.dtype} in the file, and {parameter.dtype} in the module")
    for name, parameter in parameters.items():
        parameter.data = found[name]


def _arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    if not zipfile.is_zipfile(path):
        with open(path, "rb"):  # a file that is not there is an OSError
            raise ValueError(f"{os.fspath(path)} is no .npz file; nn.save writes one")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
