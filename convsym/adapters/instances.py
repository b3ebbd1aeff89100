"""Many instances of a gather in one: how frameworks vectorize over an axis that the op knows nothing of.

Instances that share the weight are a larger batch. Others become groups, which do not see each other.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from operator import index
from typing import Any

from convsym.geometry import Shape
from convsym.multilinear import AveragePooling, Convolution, Form, Windows

Gather = Callable[[Form, str, dict[str, Any]], Any]


@dataclass(frozen=True)
class Lifted:
    """The form of many instances of another.

    Attributes
    ----------
    form : Form
        Its arrays hold those of all instances.
    places : mapping of str to int
        For each slot the axis that the instances are merged with, standing in front of it; the first axis is theirs
        alone where there was no batch. A slot that is left out is shared by all of them.
    """

    form: Form
    places: Mapping[str, int]


def lifted(form: Form, count: int, own: Set[str]) -> Lifted:
    """The form of `count` instances, each of which has arrays of its own in the slots `own`.

    Examples
    --------
    >>> from convsym.multilinear import convolution
    >>> form = convolution(1, (2, 4, 9), (6, 4, 3))
    >>> lifted(form, 5, {"x", "y"}).form.shapes
    {'y': (10, 6, 7), 'x': (10, 4, 9), 'w': (6, 4, 3)}
    >>> lifted(form, 5, {"x", "y", "w"}).form.shapes
    {'y': (2, 30, 7), 'x': (2, 20, 9), 'w': (30, 4, 3)}
    """
    as_batch = {"y": 0, "x": 0}
    if isinstance(form, Convolution):
        batched = len(form.input_shape) == form.op.rank + 2
        if "w" not in own:
            return Lifted(replace(form, input_shape=_with_batch(form.input_shape, count, batched)), as_batch)
        *batch, channels = form.input_shape[: batched + 1]
        parameters = replace(form.op.parameters, groups=count * index(form.op.parameters.groups))
        out, *rest = form.weight_shape
        grouped = Convolution(
            replace(form.op, parameters=parameters),
            (*batch, count * channels, *form.input_shape[batched + 1 :]),
            (count * out, *rest),
        )
        return Lifted(grouped, {"y": len(batch), "x": len(batch), "w": 0})
    if isinstance(form, AveragePooling):
        batched = len(form.input_shape) == form.pooling.rank + 2
        return Lifted(replace(form, input_shape=_with_batch(form.input_shape, count, batched)), as_batch)
    assert isinstance(form, Windows)
    geometry = replace(form.geometry, batched=True, batch=count * form.geometry.batch)
    return Lifted(replace(form, geometry=geometry), as_batch)


def _with_batch(shape: Shape, count: int, batched: bool) -> Shape:
    return (count * shape[0], *shape[1:]) if batched else (count, *shape)


def gathered(
    arrays: Any, gather: Gather, form: Form, result: str, operands: Mapping[str, Any], own: Set[str], before: int = 0
) -> Any:
    """A gather of many instances at once.

    Parameters
    ----------
    arrays : module
        With moveaxis and broadcast_to: numpy, torch.
    gather : callable
        Of (form, result, operands), for the arrays of all instances.
    form : Form
        Of one instance.
    result : str
    operands : mapping of str to array
        Those in `own` have an axis of instances; `before` further axes may stand in front of all of them.
    own : set of str
    before : int

    Returns
    -------
    array
        With an axis of instances at `before`.
    """
    count = next(operands[slot].shape[before] for slot in own)
    wider = lifted(form, count, {*own, result})
    merged = {}
    for slot, array in operands.items():
        if slot in wider.places:
            if slot not in own:
                lead, shape = array.shape[:before], form.shapes[slot]
                array = arrays.broadcast_to(array.reshape((*lead, 1, *shape)), (*lead, count, *shape))
            array = arrays.moveaxis(array, before, before + wider.places[slot])
            array = array.reshape((*array.shape[:before], *wider.form.shapes[slot]))
        merged[slot] = array
    value = gather(wider.form, result, merged)
    place = wider.places[result]
    shape = form.shapes[result]
    value = value.reshape((*value.shape[:before], *shape[:place], count, *shape[place:]))
    return arrays.moveaxis(value, before + place, before)
