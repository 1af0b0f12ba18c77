"""Recipes: a whole training run in one YAML file, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from scenebrush.errors import RecipeError, nearest_name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _in_order(given: tuple[float, float]) -> tuple[float, float]:
    if not 0 < given[0] <= given[1]:
        raise ValueError("give the least and the largest, in this order and above 0")
    return given


Range = Annotated[tuple[float, float], AfterValidator(_in_order)]


class WindowsSpec(_Strict):
    """Where training windows come from and how they are cut (`data.windows.TrainingWindows`).

    `count` distinct windows of `size` pixels make an epoch; `scales` is the range of (side in the photo / side of the
    window), `kinds` the share of each hole kind, `hole_share` the least and largest share of a window that is hole.
    """

    split: str = "train"
    count: int = Field(default=20000, ge=1)
    size: int = Field(default=128, ge=32, multiple_of=16)
    scales: Range = (0.75, 2.0)
    kinds: dict[str, float] | None = None
    class_weights: dict[str, float] | None = None
    least_object: int = 16
    hole_share: Range = (0.01, 0.5)
    color_jitter: float = 0.08


class PicturesSpec(_Strict):
    """Where training pictures come from and how they are cut (`data.pictures.TrainingPictures`).

    `count` distinct pictures of `size` (width, height) make an epoch; `scales` is the range of (pixels of the photo per
    pixel of the picture), by default so large that every picture shows all that fits its shape.
    """

    split: str = "train"
    count: int = Field(default=20000, ge=1)
    size: tuple[int, int] = (256, 256)
    scales: Range = (1000.0, 1000.0)
    flip: bool = True
    color_jitter: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("size")
    @classmethod
    def _sides(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 16:
            raise ValueError("sides of at least 16 pixels are needed")
        return size


class Stage(_Strict):
    """A part of the run with its own windows or pictures, batch and losses.

    Methods that edit learn from `windows`, those that make whole pictures, or labels of them, from `pictures`. `phase`
    is for methods that are trained in phases (pix2pixHD: "global", "enhancer 1", "together 1", ...). `losses` are the
    method's loss weights by name; `adversarial_ramp` raises the adversarial weight from 0 over that many steps;
    `learning_rate` multiplies the optimiser's.
    """

    name: str
    steps: int = Field(ge=1)
    batch_size: int = Field(default=4, ge=1)
    accumulate: int = Field(default=1, ge=1)
    windows: WindowsSpec = WindowsSpec()
    pictures: PicturesSpec = PicturesSpec()
    phase: str | None = None
    losses: dict[str, Any] = {}
    adversarial_ramp: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=1.0, gt=0)

    def ramp(self, step: int) -> float:
        """Returns the share of the adversarial weight that counts in a step of this stage (0-based), above 0 to 1."""
        return min(1.0, (step + 1) / self.adversarial_ramp) if self.adversarial_ramp else 1.0


class OptimizerSpec(_Strict):
    """Adam with two time scales (facts 1.6); linear decay to 0 from `decay_from` of all steps on.

    The rates rise from 0 over the first `warmup` steps. `clip` is the largest norm of the generator's gradient
    (0 = any): a network without norms can be thrown by a single window into a state that it never leaves (tanh
    saturates).
    """

    generator: float = Field(default=1e-4, gt=0)
    discriminator: float = Field(default=4e-4, gt=0)
    betas: tuple[float, float] = (0.0, 0.9)
    decay_from: float = Field(default=0.5, ge=0, le=1)
    warmup: int = Field(default=0, ge=0)
    clip: float = Field(default=0.0, ge=0)


EDITING = ("sesame",)
"""The methods that learn from windows with holes; the others learn from whole pictures."""


class Recipe(_Strict):
    """One training run.

    `config` is the method's own configuration (its frozen dataclass); `label_set` the name of the data's label set;
    `start_from` a model, by name or folder, whose weights the generator begins with (the discriminator begins new);
    `start_share` its share in the weights that are exported: the mean of a model before and after fine-tuning is often
    better than either (Wortsman et al. 2022); `ema` the decay of the averaged generator, which is what is exported
    (0 = the last one). Every `log_every` steps the losses are written, every `sample_every` steps a sheet of samples,
    every `checkpoint_every` steps a checkpoint.
    """

    name: str
    method: Literal["pix2pix", "pix2pixhd", "segmenter", "seigan", "sesame", "sims", "spade"]
    label_set: str
    config: dict[str, Any] = {}
    start_from: str | None = None
    start_share: float = Field(default=0.0, ge=0, lt=1)
    stages: list[Stage] = Field(min_length=1)
    optimizer: OptimizerSpec = OptimizerSpec()
    ema: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    seed: int = Field(default=0, ge=0)
    log_every: int = Field(default=50, ge=1)
    sample_every: int = Field(default=500, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)

    @classmethod
    def load(cls, path: str | Path, overrides: list[str] | None = None) -> Self:
        """Returns the recipe in a YAML file; `overrides` are "key=value" with dots ("optimizer.generator=1e-4").

        Stages are counted from 0: "stages.1.steps=500". What does not hold together raises `RecipeError`.
        """
        path = Path(path)
        if not path.is_file():
            raise RecipeError(f"{path} does not exist; recipes are YAML files such as recipes/sesame/street.yaml")
        try:
            data = _without_aliases(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise RecipeError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
        if not isinstance(data, dict):
            raise RecipeError(f"{path} holds no mapping; expected keys {', '.join(cls.model_fields)}")
        for override in overrides or []:
            _set(data, override)
        return cls.parse(data, str(path))

    @classmethod
    def parse(cls, data: dict[str, Any], source: str) -> Self:
        """Returns a recipe from plain data; what does not hold together raises `RecipeError` with its place."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            # A misspelt name tells more than that the right one is missing.
            first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
            place = ".".join(str(part) for part in first["loc"])
            hint = nearest_name(str(first["loc"][-1]), _SETTINGS) if first["type"] == "extra_forbidden" else ""
            found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r})"
            message = first["msg"].removeprefix("Value error, ")
            raise RecipeError(f"{source}: {place}: {message}{hint}{found}") from error

    @model_validator(mode="after")
    def _fitting_stages(self) -> Self:
        """Refuses what a method would pass over in silence."""
        if self.start_share and self.start_from is None:
            raise ValueError("start_share: there is no start_from to share with; name a model, or leave it out")
        unused = ("pictures", "phase") if self.method in EDITING else ("windows",)
        for index, stage in enumerate(self.stages):
            for name in unused:
                if name in stage.model_fields_set and getattr(stage, name) != Stage.model_fields[name].default:
                    raise ValueError(f"stages.{index}.{name}: method {self.method!r} has no {name}; leave it out")
        return self

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, Stage, int]:
        """Returns the stage of a step (0-based), as (its index, it, the step within it)."""
        for index, stage in enumerate(self.stages):
            if step < stage.steps:
                return index, stage, step
            step -= stage.steps
        raise IndexError(f"the recipe ends before step {step}")

    def dump(self) -> str:
        """Returns the recipe as YAML, every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


_SETTINGS = [name for spec in (Recipe, Stage, WindowsSpec, PicturesSpec, OptimizerSpec) for name in spec.model_fields]


def _without_aliases(data: Any) -> Any:
    """Returns a copy in which no two places share one object, so that an override changes one place only."""
    if isinstance(data, dict):
        return {key: _without_aliases(value) for key, value in data.items()}
    return [_without_aliases(value) for value in data] if isinstance(data, list) else data


def _set(data: Any, override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise RecipeError(f"--set {override!r}: expected key=value, as in --set optimizer.generator=1e-4")
    *parents, last = key.split(".")
    try:
        value = yaml.safe_load(text)
        for parent in parents:
            data = data[int(parent)] if isinstance(data, list) else data.setdefault(parent, {})
        data[int(last) if isinstance(data, list) else last] = value
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override!r}: {text!r} is no YAML value") from error
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise RecipeError(f"--set {override!r}: the recipe has no place {key!r}") from error
