from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest

from scenebrush.errors import ModelError
from scenebrush.evaluation.plain_pickle import Call, read_pickle


@pytest.mark.parametrize("protocol", [2, 3])
def test_plain_values_come_back_as_they_were(protocol: int) -> None:
    value = {"a": {"b": (1, 300, -70000), "c": [True, False, None]}, "d": (), "e": {}, "f": "text", "g": ("x",)}
    assert read_pickle(pickle.dumps(value, protocol), "x") == value


def test_many_items_use_the_memo_and_long_names() -> None:
    value = {f"key {i}": [i, (i, str(i))] for i in range(500)}
    value["again"] = value["key 3"]
    assert read_pickle(pickle.dumps(value, 3), "x") == value


def test_an_array_is_a_call_with_its_bytes_as_state() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = read_pickle(pickle.dumps({"w": array}, 3), "x")["w"]
    assert isinstance(found, Call) and found.name.endswith("multiarray _reconstruct")
    _, shape, kind, fortran, data = found.state
    assert (shape, fortran, data) == ((2, 3), False, array.tobytes())
    assert isinstance(kind, Call) and kind.arguments[0] == "f4"


class Harm:
    """Unpickled, it would set an environment variable."""

    def __reduce__(self) -> Any:
        return os.putenv, ("SCENEBRUSH_HARM", "done")


def test_nothing_is_ever_called() -> None:
    found = read_pickle(pickle.dumps({"x": Harm()}, 2), "x")
    assert "SCENEBRUSH_HARM" not in os.environ
    assert isinstance(found["x"], Call) and found["x"].arguments == ("SCENEBRUSH_HARM", "done")


def test_nothing_is_ever_imported() -> None:
    assert read_pickle(b"\x80\x02cno_such_module\nthing\n)R.", "x") == Call("no_such_module thing")


@pytest.mark.parametrize(
    "data", [b"", b"junk", pickle.dumps({1.5: 2}, 3), pickle.dumps({"a": {1, 2}}, 4), pickle.dumps([1, "a"], 3)[:-4]]
)
def test_other_pickles_and_broken_ones_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"weights\.ckpt is no pickle of plain weights"):
        read_pickle(data, "weights.ckpt")
