"""Arrays out of pickled files, without unpickling: the opcodes are read as data, and nothing is ever called.

Others publish weights as pickles (JAX checkpoints of numpy arrays, TorchScript archives). What such a file would
import or call comes back as a `Call`, a name with arguments; an opcode outside the few that weights need is an error.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scenebrush.errors import ModelError

_MARK = object()
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_ARGUMENTS = {"BINUNICODE", "BININT", "BININT1", "BININT2", "BINBYTES", "SHORT_BINBYTES"}
_FIXED_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass
class Call:
    """What unpickling would have made by calling `name` with `arguments`, then handing `state` to the result."""

    name: str
    arguments: Any = ()
    state: Any = None


def read_pickle(data: bytes, source: str) -> Any:
    """Returns the pickled value, with a `Call` wherever something would have been imported or called.

    Raises:
        ModelError: an opcode that weights do not need, or a broken file; `source` names it.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            _step(opcode.name, argument, stack, memo)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{source} is no pickle of plain weights ({error}); fetch it again") from error
    if len(stack) != 1:
        raise ModelError(f"{source} is no pickle of plain weights ({len(stack)} values); fetch it again")
    return stack[0]


def _step(name: str, argument: Any, stack: list[Any], memo: dict[Any, Any]) -> None:
    if name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _ARGUMENTS:
        stack.append(argument)
    elif name in _FIXED_TUPLES:
        stack.append(_pop(stack, _FIXED_TUPLES[name]))
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name in _MOVES:
        _MOVES[name](stack, argument)
    elif name not in ("PROTO", "STOP"):
        raise ValueError(f"opcode {name}")


def _pop(stack: list[Any], count: int) -> tuple[Any, ...]:
    taken = tuple(stack[len(stack) - count :])
    del stack[len(stack) - count :]
    return taken


def _pop_to_mark(stack: list[Any]) -> tuple[Any, ...]:
    start = max(i for i, value in enumerate(stack) if value is _MARK)
    taken = tuple(stack[start + 1 :])
    del stack[start:]
    return taken


def _call(stack: list[Any], _: Any) -> None:
    called, arguments = _pop(stack, 2)
    stack.append(Call(called.name, arguments))


def _build(stack: list[Any], _: Any) -> None:
    made, state = _pop(stack, 2)
    made.state = state
    stack.append(made)


def _persistent(stack: list[Any], _: Any) -> None:
    stack.append(Call("persistent", _pop(stack, 1)[0]))


def _extend(stack: list[Any], _: Any) -> None:
    items = _pop_to_mark(stack)
    stack[-1].extend(items)


def _set_items(stack: list[Any], _: Any) -> None:
    items = _pop_to_mark(stack)
    stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _set_item(stack: list[Any], _: Any) -> None:
    key, value = _pop(stack, 2)
    stack[-1][key] = value


_MOVES: dict[str, Callable[[list[Any], Any], None]] = {
    "GLOBAL": lambda stack, argument: stack.append(Call(argument)),
    "REDUCE": _call,
    "NEWOBJ": _call,
    "BUILD": _build,
    "BINPERSID": _persistent,
    "MARK": lambda stack, _: stack.append(_MARK),
    "TUPLE": lambda stack, _: stack.append(_pop_to_mark(stack)),
    "EMPTY_DICT": lambda stack, _: stack.append({}),
    "EMPTY_LIST": lambda stack, _: stack.append([]),
    "APPENDS": _extend,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
}
