"""Convolutions, average pooling and windows as primitives: every gradient is another gather of the same form."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from convsym.arguments import Parameters
from convsym.autograd._texts import TEXTS
from convsym.multilinear import AveragePooling, Bias, Convolution, Form, Windows, exchanged

_ENDINGS = {"y": "", "x": "_input", "w": "_weight", "b": "_bias"}


@dataclass(frozen=True, slots=True)
class Gather:
    """The derivative of a multilinear form by one of its slots, as a function of the others.

    Attributes
    ----------
    kind : str
        What the form belongs to, such as ``"conv2d"``.
    form : Form
    result : str
        The slot that is computed.
    slots : tuple of str
        Those of the operands.
    """

    kind: str
    form: Form
    result: str
    slots: tuple[str, ...]

    @property
    def name(self) -> str:
        """As the function is called that computes it."""
        return self.kind + _ENDINGS[self.result]

    @property
    def formula(self) -> str:
        """What the registry says of it, where it has an op of this rank."""
        return _texts(self.form).get(self.result, f"{self.result} = gather of {self.kind} from {', '.join(self.slots)}")

    @property
    def rules(self) -> tuple[str, ...]:
        """What was derived for the operands' slots; the cotangent stands in the slot of the result."""
        return tuple(_rule(self.kind, self.form, slot) for slot in self.slots)

    @property
    def static(self) -> Mapping[str, Any]:
        """What the caller said of it beside the arrays."""
        return _said(self.form)

    @property
    def saves(self) -> tuple[bool, bool]:
        """What is linear in one operand alone has a gradient that does not depend on it."""
        return len(self.slots) > 1, False

    def forward(self, ops: Any, *operands: Any) -> Any:
        """By the compiled kernels."""
        return self.form.gather(self.result, dict(zip(self.slots, operands, strict=True)))

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """The gathers of the slots of the operands, with the cotangent in the slot of the result."""
        known = dict(zip(self.slots, operands, strict=True))
        return [self._by(slot, known, ops, dy) if need else None for slot, need in zip(self.slots, needs, strict=True)]

    def _by(self, slot: str, known: Mapping[str, Any], ops: Any, dy: Any) -> Any:
        others = exchanged(known, slot, self.result, dy)
        return ops.apply(Gather(self.kind, self.form, slot, tuple(others)), *others.values())


@dataclass(frozen=True, slots=True)
class Biased:
    """A convolution and its bias in one pass.

    Attributes
    ----------
    plain : Gather
        The convolution without the bias.
    form : Convolution
        Its form.
    """

    plain: Gather
    form: Convolution

    @property
    def name(self) -> str:
        """That of the convolution."""
        return self.plain.kind

    @property
    def formula(self) -> str:
        """That of the convolution, and of the bias."""
        return f"{self.plain.formula}; {TEXTS['bias']['y']}"

    @property
    def rules(self) -> tuple[str, ...]:
        """Those of both forms."""
        return (*self.plain.rules, TEXTS["bias"]["b"])

    @property
    def static(self) -> Mapping[str, Any]:
        """What the caller said of it beside the arrays."""
        return self.plain.static

    @property
    def saves(self) -> tuple[bool, bool]:
        """As without the bias."""
        return self.plain.saves

    def forward(self, ops: Any, *operands: Any) -> Any:
        """By the compiled kernels."""
        return self.form.output(*operands)

    def backward(self, ops: Any, dy: Any, operands: Sequence[Any], y: Any, needs: Sequence[bool]) -> Sequence[Any]:
        """Of each form its own."""
        *needed, bias = needs
        cotangents = self.plain.backward(ops, dy, operands[:-1], y, needed)
        if not bias:
            return [*cotangents, None]
        added = Bias(self.form.op.rank, dy.shape, self.form.op.how.axes)
        return [*cotangents, ops.apply(Gather("bias", added, "b", ("y",)), dy)]


def _texts(form: Form) -> Mapping[str, str]:
    """Formula and derived rules of a form's op, by slot; empty where the registry has none of this rank."""
    if isinstance(form, Convolution):
        op = "conv" if form.op.output_padding is None else "conv_transpose"
        return TEXTS.get(f"{op}{form.op.rank}d{'.grouped' if form.op.parameters.groups != 1 else ''}", {})
    if isinstance(form, AveragePooling):
        return TEXTS.get(f"avg_pool{form.pooling.rank}d", {})
    if isinstance(form, Windows):
        texts = TEXTS.get(f"unfold{len(form.geometry.kernel)}d", {})
        return texts if form.columns == "y" or not texts else _exchanged(texts)
    return TEXTS["bias"] if isinstance(form, Bias) else {}


def _exchanged(texts: Mapping[str, str]) -> Mapping[str, str]:
    """The texts of columns that are added back: their formula is the gradient of taking them, and the other way."""
    forward, back = {"dx": "y", "dy": "x"}, {"y": "dx", "x": "dy"}
    return {
        "y": re.sub(r"\b(dx|dy)(?=\[)", lambda found: forward[found[1]], texts["x"]),
        "x": re.sub(r"\b(y|x)(?=\[)", lambda found: back[found[1]], texts["y"]),
    }


def _rule(kind: str, form: Form, slot: str) -> str:
    """The derived rule of a slot; for the output's slot it is the formula, with a cotangent for its result."""
    text = _texts(form).get(slot, f"d{slot} = gather of {kind} by slot {slot}")
    return text if text.startswith("d") else f"d{text}"


def _said(form: Form) -> Mapping[str, Any]:
    """The parameters of a form that are not as they are by default."""
    if isinstance(form, Convolution):
        moved = form.op.output_padding
        return _differing(form.op.parameters) | ({"output_padding": moved} if moved not in (None, 0) else {})
    if isinstance(form, AveragePooling):
        return {"kernel_size": form.pooling.kernel_size} | _differing(form.pooling.parameters)
    if isinstance(form, Windows):
        return {"kernel_size": form.geometry.kernel, "stride": form.geometry.stride, "padding": form.geometry.padding}
    return {}


def _differing(parameters: Parameters) -> dict[str, Any]:
    values = {field.name: (getattr(parameters, field.name), field.default) for field in fields(parameters)}
    return {name: value for name, (value, default) in values.items() if value != default}
