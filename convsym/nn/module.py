"""Modules: functions of tensors that own parameters, and chains of them."""

from collections.abc import Iterator
from typing import Any

from convsym.autograd import Tensor


class Module:
    """A function of tensors with parameters.

    A subclass defines ``__call__``. Its parameters are found by themselves: every attribute that is a tensor which
    takes gradients, and those of every attribute that is a module, or a tuple or list of modules.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn, tensor
    >>> class Scale(nn.Module):
    ...     def __init__(self, by):
    ...         self.by = tensor(by, requires_grad=True)
    ...     def __call__(self, x):
    ...         return x * self.by
    >>> layer = Scale([1.0, 2.0])
    >>> layer(tensor([10.0, 10.0])).sum().backward()
    >>> {name: parameter.grad.tolist() for name, parameter in layer.named_parameters().items()}
    {'by': [10.0, 10.0]}
    """

    def __call__(self, x: Any) -> Tensor:
        """The module's function of one tensor or array; subclasses say what it is."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes; define its __call__(self, x)")

    def named_parameters(self) -> dict[str, Tensor]:
        """The parameters by name: the attributes that lead to them, joined by dots.

        Returns
        -------
        dict of str to Tensor
            In the order in which the attributes were set; a tensor that is found twice has its first name.
        """
        found: dict[int, tuple[str, Tensor]] = {}
        for name, parameter in self._walk(""):
            found.setdefault(id(parameter), (name, parameter))
        return dict(found.values())

    def parameters(self) -> list[Tensor]:
        """The parameters, each once."""
        return list(self.named_parameters().values())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def _members(self) -> Iterator[tuple[str, object]]:
        """What may hold parameters, by the name that stands before theirs."""
        for name, value in vars(self).items():
            if isinstance(value, (tuple, list)):
                yield from ((f"{name}.{place}", item) for place, item in enumerate(value))
            else:
                yield name, value

    def _walk(self, before: str) -> Iterator[tuple[str, Tensor]]:
        for name, value in self._members():
            if isinstance(value, Module):
                yield from value._walk(f"{before}{name}.")
            elif isinstance(value, Tensor) and value.requires_grad:
                yield before + name, value


class Sequential(Module):
    """A chain of modules: each is given what the one before it made.

    Parameters
    ----------
    *layers : Module
        Their parameters are called "0.weight", "0.bias", "2.weight", …, by the place of the module.

    Raises
    ------
    TypeError
        One of them is no module.

    Examples
    --------
    >>> import numpy as np
    >>> from convsym import nn
    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 10))
    >>> net(np.ones((7, 1, 4, 4), np.float32)).shape
    (7, 10)
    >>> list(net.named_parameters())
    ['0.weight', '0.bias', '4.weight', '4.bias']
    """

    def __init__(self, *layers: Module) -> None:
        for place, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(
                    f"layer {place} is {layer!r} ({type(layer).__name__}), and a chain is made of modules; a function "
                    "becomes one as the __call__ of a subclass of nn.Module"
                )
        self.layers = layers

    def __call__(self, x: Any) -> Tensor:
        """What the last module makes."""
        for layer in self.layers:
            x = layer(x)
        return x  # type: ignore[no-any-return]  # an empty chain gives back what it is given

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, place: int) -> Module:
        return self.layers[place]

    def __repr__(self) -> str:
        return "Sequential(\n" + "".join(f"    {layer!r},\n" for layer in self.layers) + ")"

    def _members(self) -> Iterator[tuple[str, object]]:
        return ((str(place), layer) for place, layer in enumerate(self.layers))
