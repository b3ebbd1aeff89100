"""Competitors: convsym itself and the libraries it is measured against, one small class each."""

from collections.abc import Callable, Mapping

from convsym.bench.peers.frameworks import Jax, Torch
from convsym.bench.peers.images import NumPy, OpenCv, SciPyImages, SciPySignal
from convsym.bench.peers.own import Convsym, Planned
from convsym.bench.peers.peer import Peer, Task
from convsym.bench.peers.runtimes import Ncnn, OnnxRuntime, OpenVino

__all__ = ["OWN", "PEERS", "TORCH", "Peer", "Task", "open_peers"]

OWN, TORCH = "convsym", Torch.name
PEERS: Mapping[str, Callable[[int], Peer]] = {
    peer.name: peer for peer in (Torch, Jax, OnnxRuntime, OpenVino, Ncnn, SciPySignal, SciPyImages, OpenCv, NumPy)
}


def open_peers(
    names: tuple[str, ...], threads: int, algorithms: tuple[str, ...], default_threads: int
) -> tuple[dict[str, Peer], dict[str, str]]:
    """Import competitors.

    Parameters
    ----------
    names : tuple of str
        Peers to open, keys of `PEERS`.
    threads : int
        How many each may use.
    algorithms : tuple of str
        Algorithms of convsym beside "auto".
    default_threads : int
        What a peer that cannot be told uses.

    Returns
    -------
    peers : dict of str to Peer
        convsym first.
    missing : dict of str to str
        The reason for each that could not be opened.
    """
    opened: dict[str, Peer] = {OWN: Convsym(threads)}
    missing: dict[str, str] = {}
    wanted: dict[str, Callable[[int], Peer]] = {Planned.name: Planned}
    wanted |= {f"{OWN} {name}": _by_algorithm(name) for name in algorithms}
    wanted |= {name: PEERS[name] for name in names}
    for name, make in wanted.items():
        try:
            peer = make(threads)
            peer.version()
        except (ImportError, OSError, AttributeError, RuntimeError) as error:
            missing[name] = f"not installed: {error}" if isinstance(error, ImportError) else str(error)
            continue
        if peer.default_threads_only and threads != default_threads:
            missing[name] = f"cannot be told to use {threads} of {default_threads} threads"
        else:
            opened[name] = peer
    if TORCH in opened and NumPy.name in opened:
        del opened[NumPy.name]
        missing[NumPy.name] = "stands in where torch is not installed"
    return opened, missing


def _by_algorithm(name: str) -> Callable[[int], Peer]:
    return lambda threads: Convsym(threads, name)
