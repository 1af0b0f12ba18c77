"""The edits that a script can hold: one model for each operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from scenebrush.errors import EditError
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.operations.cutting import thing_in
from scenebrush.scene.operations.shapes import box_mask, placed, polygon_mask
from scenebrush.scene.scene import Scene
from scenebrush.scene.script_sources import Sources

Operation = Callable[[Scene], Edit]
Point = tuple[float, float]


def _told(message: str) -> WrapValidator:
    """One message for a union, instead of one for each of its members."""

    def checked(value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except ValidationError as error:
            raise ValueError(message) from error

    return WrapValidator(checked)


Scale = Annotated[
    PositiveFloat | tuple[PositiveFloat, PositiveFloat],
    _told("give a factor above 0, or two of them, [horizontal, vertical]"),
]
Behind = Annotated[bool | list[str | int], _told('give true, false, or a list of classes, for instance ["tree"]')]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True, allow_inf_nan=False)

    dilate: Annotated[int, Field(ge=0, le=1000)] | None = None

    def prepared(self, sources: Sources) -> Operation:
        """Returns the operation, with its files read and its class names checked."""
        raise NotImplementedError

    def given(self, *names: str) -> dict[str, Any]:
        """The values of these fields, where they are set."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}

    def one_of(self, *names: str) -> Self:
        """Refuses unless exactly one of these fields is set."""
        fields = type(self).model_fields
        if sum(getattr(self, name) is not None for name in names) != 1:
            shown = [repr(fields[name].alias or name) for name in names]
            raise ValueError(f"give exactly one of {', '.join(shown)}")
        return self


class EraseStep(_Step):
    """`{"op": "erase", "at": [x, y]}`, or with "class" or "mask" for "at"; "to" names what comes instead."""

    op: Literal["erase"]
    at: Point | None = None
    class_: str | int | None = Field(None, alias="class")
    mask: str | None = None
    to: str | int | None = None
    shadow: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        return self.one_of("at", "class_", "mask")

    def prepared(self, sources: Sources) -> Operation:
        options = self.given("at", "dilate", "shadow")
        if self.class_ is not None:
            options["class_"] = sources.class_id(self.class_)
        if self.to is not None:
            options["to"] = sources.class_id(self.to)
        if self.mask is not None:
            options["mask"] = sources.mask(self.mask)
        return partial(operations.erase, **options)


class AddStep(_Step):
    """`{"op": "add", "class": "car", "mask": "m.png", "at": [x, y]}`, or with "polygon", "box", or "from" for "mask".

    With `"from": "other.jpg", "labels": "other.png", "pick": [x, y]` the object at `pick` of that photo is copied; with
    `"from": "other.jpg", "box": [x, y, width, height], "class": "car"` the object in that box is cut out of it first.
    """

    op: Literal["add"]
    class_: str | int | None = Field(None, alias="class")
    mask: str | None = None
    polygon: Annotated[list[Point], Field(min_length=3)] | None = None
    box: tuple[float, float, PositiveFloat, PositiveFloat] | None = None
    from_: str | None = Field(None, alias="from")
    labels: str | None = None
    label_set: str | None = None
    instances: str | None = None
    pick: Point | None = None
    at: Point | None = None
    scale: Scale = 1.0
    rotate: float = 0.0
    flip: bool = False
    behind: Behind = False
    shadow: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.from_ is not None:
            return self._complete_donor()
        extra = self.given("labels", "label_set", "instances", "pick", "scale", "rotate", "flip")
        if extra:
            raise ValueError(f"only with 'from': {', '.join(map(repr, extra))}")
        if self.class_ is None:
            raise ValueError("'class' is missing")
        return self.one_of("mask", "polygon", "box")

    def _complete_donor(self) -> Self:
        if self.polygon is not None:
            raise ValueError("'polygon' does not go with 'from'; give 'pick', 'mask' or 'box'")
        if self.pick is None and self.mask is None and self.box is None:
            raise ValueError(
                "'from' needs 'pick', a point on the object in that photo, 'mask', its mask there, or 'box', a box"
                " around it"
            )
        if self.box is not None and self.labels is None:
            extra = self.given("label_set", "instances")
            if extra:
                raise ValueError(f"only with 'labels': {', '.join(map(repr, extra))}")
            if self.class_ is None:
                raise ValueError("'class' is missing: without 'labels' nothing tells what the box holds")
        return self.one_of("pick", "mask", "box")

    def prepared(self, sources: Sources) -> Operation:
        options = self.given("at", "polygon", "scale", "rotate", "flip", "behind", "dilate", "shadow")
        if self.class_ is not None:
            options["class_"] = sources.class_id(self.class_)
        if self.from_ is not None:
            options |= self._from_donor(sources)
        elif self.mask is not None:
            options["mask"] = sources.mask(self.mask)
        elif self.box is not None:
            options["box"] = self.box
        return partial(operations.add, **options)

    def _from_donor(self, sources: Sources) -> dict[str, Any]:
        """The segment, and its class where the step names none."""
        donor = self._donor(sources)
        segment = self._segment(donor, sources)
        if self.class_ is not None:
            return {"segment": segment}
        name = segment.class_name if self.box is None else thing_in(donor.layout, segment.mask)
        return {"segment": segment, "class_": sources.class_id(name)}

    def _donor(self, sources: Sources) -> Scene:
        """The other photo, with its labels where they are given, needed, or (but for a box) lie beside it."""
        assert self.from_ is not None
        needed = self.pick is not None or self.class_ is None or bool(self.given("labels", "label_set", "instances"))
        if needed or (self.mask is not None and sources.labels_beside(self.from_).is_file()):
            return sources.donor(self.from_, self.labels, self.label_set, self.instances)
        return sources.photo(self.from_)

    def _segment(self, donor: Scene, sources: Sources) -> operations.Segment:
        if self.box is not None:
            return sources.cut(donor, self.box)
        if self.mask is not None:
            return operations.Segment(donor, placed(sources.mask(self.mask), None, donor.layout.shape))
        assert self.pick is not None
        return operations.Segment.at(donor, self.pick)


class MoveStep(_Step):
    """`{"op": "move", "at": [x, y], "by": [dx, dy], "scale": 1.2, "flip": false}`."""

    op: Literal["move"]
    at: Point
    by: Point = (0.0, 0.0)
    scale: Scale = 1.0
    rotate: float = 0.0
    flip: bool = False
    behind: Behind = False
    shadow: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if not self.given("by", "scale", "rotate", "flip"):
            raise ValueError("'by' is missing")
        unscaled = np.all(np.equal(self.scale, 1))
        if not any(self.by) and unscaled and self.rotate % 360 == 0 and not self.flip:
            raise ValueError("goes nowhere: give 'by' other than [0, 0], or a scale, a rotation or a flip")
        return self

    def prepared(self, sources: Sources) -> Operation:
        return partial(
            operations.move,
            **self.given("at", "by", "scale", "rotate", "flip", "behind", "dilate", "shadow"),
        )


class ResizeStep(_Step):
    """`{"op": "resize", "at": [x, y], "scale": [1.5, 1]}`."""

    op: Literal["resize"]
    at: Point
    scale: Scale
    behind: Behind = False
    shadow: Annotated[float, Field(ge=0)] | None = None

    def prepared(self, sources: Sources) -> Operation:
        return partial(operations.resize, **self.given("at", "scale", "behind", "dilate", "shadow"))


class RelabelStep(_Step):
    """`{"op": "relabel", "at": [x, y], "to": "building"}`."""

    op: Literal["relabel"]
    at: Point
    to: str | int

    def prepared(self, sources: Sources) -> Operation:
        return partial(operations.relabel, to=sources.class_id(self.to), **self.given("at", "dilate"))


class PaintStep(_Step):
    """`{"op": "paint", "class": "sky", "mask": "m.png"}`, or with "polygon" or "box" for "mask"."""

    op: Literal["paint"]
    class_: str | int = Field(alias="class")
    mask: str | None = None
    polygon: Annotated[list[Point], Field(min_length=3)] | None = None
    box: tuple[float, float, PositiveFloat, PositiveFloat] | None = None
    at: Point | None = None
    shadow: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        return self.one_of("mask", "polygon", "box")

    def prepared(self, sources: Sources) -> Operation:
        class_id = sources.class_id(self.class_)
        mask = None if self.mask is None else sources.mask(self.mask)
        options = self.given("dilate", "shadow")

        def run(scene: Scene) -> Edit:
            return operations.paint(scene, class_id, self._region(mask, scene.layout.shape), **options)

        return run

    def _region(self, mask: np.ndarray | None, shape: tuple[int, int]) -> np.ndarray:
        if mask is not None:
            return placed(mask, self.at, shape)
        if self.at is not None:
            raise EditError("'at' goes with a mask; give polygon and box where they are to be")
        if self.polygon is not None:
            return polygon_mask(self.polygon, shape)
        assert self.box is not None
        return box_mask(self.box, shape)


Step = EraseStep | AddStep | MoveStep | ResizeStep | RelabelStep | PaintStep
STEPS: dict[str, type[Any]] = {
    "erase": EraseStep,
    "add": AddStep,
    "move": MoveStep,
    "resize": ResizeStep,
    "relabel": RelabelStep,
    "paint": PaintStep,
}


class Script(BaseModel):
    """`{"edits": [...]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edits: list[Annotated[Step, Field(discriminator="op")]]
