"""Gradients as functions of functions: what goes in and comes out is values, and no tensor is touched.

They nest: ``grad(grad(f))`` is the second derivative, for the way back is recorded where something outside waits for
it. Arguments are arrays, tensors or numbers; results are tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from convsym.autograd.graphs import older_first
from convsym.autograd.held import owned, plain
from convsym.autograd.joining import stack
from convsym.autograd.leaves import tensor
from convsym.autograd.maps import Alias
from convsym.autograd.recording import enable_grad, is_grad_enabled
from convsym.autograd.tape import Tensor, apply, pull_back
from convsym.errors import ShapeError, TapeError
from convsym.gate import Array

Argnums = int | Sequence[int]


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that computes the gradient of a function with one number as its result.

    Parameters
    ----------
    f : callable
        Its result is a tensor of one element.
    argnums : int or sequence of int
        Which arguments the gradient is by.
    has_aux : bool
        Whether `f` returns a pair (result, whatever else), and the gradient function is to return one too.

    Returns
    -------
    callable
        Of the same arguments; gives a tensor, or a tuple of tensors where `argnums` is a sequence.

    Raises
    ------
    TapeError
        When it is called: the result is no number; or an argument has no gradient.

    Examples
    --------
    >>> from convsym.autograd import grad
    >>> grad(lambda x: x * x * x)(2.0)
    tensor(12.)
    >>> grad(grad(lambda x: x * x * x))(2.0)
    tensor(12.)
    """
    both = value_and_grad(f, argnums, has_aux)

    def gradient(*arguments: Any) -> Any:
        value, gradients = both(*arguments)
        return (gradients, value[1]) if has_aux else gradients

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that computes a function and its gradient.

    Parameters
    ----------
    f, argnums, has_aux
        As of `grad`.

    Returns
    -------
    callable
        Of the same arguments; gives the pair (result, gradient), where with `has_aux` the result is what `f` returns.

    Raises
    ------
    TapeError
        As of `grad`.

    Examples
    --------
    >>> from convsym.autograd import value_and_grad
    >>> value_and_grad(lambda x, w: (x * w).sum(), argnums=(0, 1))([1, 2], [3, 4])
    (tensor(11.), (tensor([3., 4.]), tensor([1., 2.])))
    """
    places = _places(f, argnums)

    def both(*arguments: Any) -> Any:
        inputs, given = _inputs(arguments, places)
        with enable_grad():
            found = f(*given)
        y, aux = found if has_aux else (found, None)
        if not isinstance(y, Tensor) or y.size != 1:
            kind = f"shape {y.shape}" if isinstance(y, Tensor) else f"the type {type(y).__name__}"
            raise TapeError(
                f"the result has {kind}, and a gradient is of a tensor of one number; sum it up, or use "
                "convsym.autograd.jacobian or vjp"
            )
        gradients, outside = _pulled([(y, None)], inputs)
        value = y if outside else y.detach()
        return (value, aux) if has_aux else value, gradients[0] if isinstance(argnums, int) else gradients

    return both


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., tuple[Tensor, ...]]]:
    """A function's result, and the function that takes cotangents of it back to the arguments.

    Parameters
    ----------
    f : callable
        Its result is a tensor, or a tuple of tensors.
    *primals : Tensor, array or number
        The arguments; all of them get a cotangent.

    Returns
    -------
    y : Tensor or tuple of Tensor
    pullback : callable
        Of a cotangent for each result; gives a tuple with one for each argument. It may be called many times.

    Raises
    ------
    TapeError
        The result is no tensor.

    Examples
    --------
    >>> from convsym.autograd import vjp
    >>> y, pullback = vjp(lambda x, w: x * w, [1, 2], [3, 4])
    >>> pullback([1, 10])
    (tensor([ 3., 40.]), tensor([ 1., 20.]))
    """
    inputs, given = _inputs(primals, range(len(primals)))
    with enable_grad():
        y = f(*given)
    results = _results(y)

    def pullback(*cotangents: Any) -> tuple[Tensor, ...]:
        if len(cotangents) != len(results):
            raise TapeError(f"there are {len(cotangents)} cotangents, and the function has {len(results)} results")
        return _pulled(list(zip(results, cotangents, strict=True)), inputs, keep=True)[0]

    return _shown(y, inputs), pullback


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """A function's result, and its derivative in a direction.

    The way back is linear in the cotangent, so its own adjoint is the way forth: two walks back are one walk there,
    exactly, and no rule is needed beside those that there are.

    Parameters
    ----------
    f : callable
        Its result is a tensor, or a tuple of tensors.
    primals, tangents : tuple of (Tensor, array or number), or one of these
        The arguments, and the direction: for each argument an array of its shape.

    Returns
    -------
    y, dy : Tensor or tuple of Tensor

    Raises
    ------
    TapeError, ShapeError
        The result is no tensor; or tangents do not match the primals.

    Examples
    --------
    >>> from convsym.autograd import jvp
    >>> jvp(lambda x, w: x * w, ([1, 2], [3, 4]), ([1, 0], [0, 1]))
    (tensor([3., 8.]), tensor([3., 2.]))
    """
    directions = _paired(primals, tangents)
    inputs, given = _inputs(_tuple(primals), range(len(directions)))
    with enable_grad():
        y = f(*given)
    results = _results(y)
    probes = [Tensor(np.zeros(result.shape, result.dtype), requires_grad=True) for result in results]
    back, _ = _pulled(list(zip(results, probes, strict=True)), inputs, keep=True, again=True)
    derivatives, _ = _pulled(list(zip(back, directions, strict=True)), probes, ours=inputs)
    return _shown(y, inputs), derivatives if isinstance(y, tuple) else derivatives[0]


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes all derivatives of a function, by one walk back for each element of its result.

    Parameters
    ----------
    f : callable
        Its result is a tensor.
    argnums : int or sequence of int
        Which arguments the derivatives are by.

    Returns
    -------
    callable
        Of the same arguments; gives a tensor of shape ``(*result.shape, *argument.shape)``, or a tuple of them.

    Raises
    ------
    TapeError
        When it is called: the result is no tensor.

    Examples
    --------
    >>> from convsym.autograd import jacobian
    >>> jacobian(lambda x: x[1:] * x[:-1])([1, 2, 3])
    tensor([[2., 1., 0.],
            [0., 3., 2.]])
    """
    places = _places(f, argnums)

    def derivatives(*arguments: Any) -> Any:
        inputs, given = _inputs(arguments, places)
        with enable_grad():
            (y,) = _results(f(*given), single=True)
        rows = [_pulled([(y, unit)], inputs, keep=True)[0] for unit in _units(y)]
        found = tuple(
            stack([row[place] for row in rows]).reshape(y.shape + x.shape) if rows else _zeros(x, y.shape + x.shape)
            for place, x in enumerate(inputs)
        )
        return found[0] if isinstance(argnums, int) else found

    return derivatives


def hvp(f: Callable[..., Any], primals: Any, tangents: Any) -> Any:
    """The second derivatives of a function with one number as its result, times a direction.

    Parameters
    ----------
    f : callable
        Its result is a tensor of one element.
    primals, tangents : tuple of (Tensor, array or number), or one of these
        The arguments, and the direction: for each argument an array of its shape.

    Returns
    -------
    Tensor, or tuple of Tensor
        One for each argument.

    Raises
    ------
    TapeError, ShapeError
        The result is no number; or tangents do not match the primals.

    Examples
    --------
    >>> from convsym.autograd import hvp
    >>> hvp(lambda x: (x * x * x).sum(), [1, 2], [1, 10])
    tensor([  6., 120.])
    """
    directions = _paired(primals, tangents)
    inputs, given = _inputs(_tuple(primals), range(len(directions)))
    with enable_grad():
        (y,) = _results(f(*given), single=True)
    first, _ = _pulled([(y, None)], inputs, keep=True, again=True)
    second, _ = _pulled(list(zip(first, directions, strict=True)), inputs)
    return second if isinstance(primals, tuple) else second[0]


def _places(f: Callable[..., Any], argnums: Argnums) -> tuple[int, ...]:
    if not callable(f):
        raise TypeError(f"f is {f!r}, and derivatives are of a function of tensors")
    places = tuple(argnums) if isinstance(argnums, Sequence) else (argnums,)
    if not all(isinstance(place, int) for place in places):
        raise TypeError(f"argnums is {argnums!r}, and it is the number of an argument, or a sequence of such numbers")
    return places


def _inputs(arguments: Sequence[Any], places: Sequence[int]) -> tuple[list[Tensor], list[Any]]:
    """The arguments that derivatives are by, as tensors that nothing was computed from yet; and all arguments."""
    given = list(arguments)
    for place in places:
        if not -len(given) <= place < len(given):
            raise TapeError(f"argnums has {place}, and the function is called with {len(given)} arguments")
        given[place] = _input(given[place], place)
    return [given[place] for place in places], given


def _input(value: Any, place: int) -> Tensor:
    kind = getattr(value, "dtype", None)
    if kind is not None and kind.kind not in "fO":
        raise TypeError(
            f"argument {place} has dtype {kind}, and derivatives are by real floating-point numbers; give "
            "x.astype(float), or leave it out of argnums"
        )
    if isinstance(value, Tensor) and value.requires_grad and is_grad_enabled():
        return apply(Alias(), value)
    if isinstance(value, Tensor):
        return Tensor(value.data, requires_grad=True)
    return Tensor(value, requires_grad=True) if type(value) is np.ndarray else tensor(value, requires_grad=True)


def _results(y: Any, single: bool = False) -> tuple[Tensor, ...]:
    results = _tuple(y)
    if not all(isinstance(result, Tensor) for result in results) or (single and len(results) != 1):
        kinds = ", ".join(type(result).__name__ for result in results)
        raise TapeError(f"the function returned {kinds}, and it has to return {'one tensor' if single else 'tensors'}")
    return results


def _pulled(
    start: Sequence[tuple[Tensor, Any]],
    inputs: Sequence[Tensor],
    keep: bool = False,
    again: bool | None = None,
    ours: Sequence[Tensor] = (),
) -> tuple[tuple[Tensor, ...], bool]:
    """The cotangents of inputs, zeros where nothing arrives; and whether something outside waits for their gradients.

    If there is such a thing, the way back is recorded.
    """
    connected = [(result, dy) for result, dy in start if result.edge is not None]
    outside = _seen_outside([*(result for result, _ in connected), *(dy for _, dy in connected)], [*inputs, *ours])
    record = outside if again is None else again
    found = pull_back(connected, keep or record, record, {x.edge for x in inputs if x.edge is not None})
    cotangents = (found.get(x.edge) for x in inputs)
    given: set[int] = set()
    return tuple(
        _zeros(x, x.shape) if dx is None else dx if isinstance(dx, Tensor) else Tensor(owned(dx, given))
        for x, dx in zip(inputs, cotangents, strict=True)
    ), outside


def _seen_outside(values: Sequence[Any], ours: Sequence[Tensor]) -> bool:
    """Whether values were computed from a leaf that is none of ours, and gradients by it may be asked for."""
    if not is_grad_enabled():
        return False
    known = {x.edge for x in ours}
    starts = [value.edge for value in values if isinstance(value, Tensor)]
    below = [*starts, *(edge for node in older_first(starts) for edge in node.edges)]
    return any(isinstance(edge, Tensor) and edge not in known for edge in below)


def _shown(y: Any, ours: Sequence[Tensor]) -> Any:
    """A result for the caller: with its past only if something outside is in it."""
    results = _tuple(y)
    if _seen_outside(results, ours):
        return y
    return tuple(result.detach() for result in results) if isinstance(y, tuple) else y.detach()


def _zeros(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return Tensor(np.zeros(shape, x.dtype))


def _units(y: Tensor) -> Array:
    """For each element of a tensor the array that is 1 there and 0 elsewhere."""
    return np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)


def _tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)


def _paired(primals: Any, tangents: Any) -> list[Any]:
    """The tangents, each of the shape of its primal."""
    ones, others = _tuple(primals), _tuple(tangents)
    if len(ones) != len(others):
        raise ShapeError(f"there are {len(ones)} primals and {len(others)} tangents; give one tangent for each")
    directions = [other if isinstance(other, Tensor) else tensor(other) for other in others]
    for place, (one, other) in enumerate(zip(ones, directions, strict=True)):
        if np.shape(plain(one)) != other.shape:
            raise ShapeError(
                f"tangents[{place}] has shape {other.shape}, and its primal {np.shape(plain(one))}; make them equal"
            )
    return directions
