"""An ONNX graph, node after node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 18
# The oldest that this opset belongs to, which every runtime since 2023 reads.
_FORMAT = 8


class Graph:
    """Nodes by names of their outputs. Floats are float32; weights that fit are stored as float16 and cast."""

    def __init__(self, name: str):
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._stored: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: type[np.generic], shape: tuple[int | str, ...]) -> str:
        """A tensor that is handed in; sides that are names may be of any size."""
        self._inputs.append(helper.make_tensor_value_info(name, _kind(kind), shape))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """A tensor of the model."""
        name = f"constant_{len(self._stored)}"
        if values.dtype == np.float32 and np.array_equal(half := values.astype(np.float16), values):
            self._stored.append(numpy_helper.from_array(half, name))
            return self.cast(name, np.float32)
        self._stored.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The output of an operator of ONNX."""
        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], name, **attributes))
        return name

    def cast(self, x: str, kind: type[np.generic]) -> str:
        """The same numbers in another type."""
        return self.node("Cast", x, to=_kind(kind))

    def model(
        self, outputs: dict[str, tuple[str, type[np.generic], tuple[int | str, ...]]], **notes: str
    ) -> bytes:
        """The file; ``outputs`` by name: whose they are, type and shape. ``notes`` stand in it as properties."""
        found = []
        for name, (node, kind, shape) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [node], [name], name))
            found.append(helper.make_tensor_value_info(name, _kind(kind), shape))
        graph = helper.make_graph(self._nodes, self._name, self._inputs, found, self._stored)
        made = helper.make_model(
            graph,
            producer_name="recodec",
            ir_version=_FORMAT,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(made, notes)
        onnx.checker.check_model(made)
        data: bytes = made.SerializeToString(deterministic=True)
        return data


def _kind(kind: type[np.generic]) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(kind))
