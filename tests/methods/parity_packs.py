"""The parity packs of a folder: which cases there are, told by what they hold, not by what they are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from torch import Tensor

from scenebrush.methods.sesame import original_keys

KINDS: Final = {
    "generator": "input/masked_image",
    "discriminator": "input/semantics",
    "step": "input/label",
    "losses": "input/fake/0/0",
}
"""Kind of case -> an input that this kind has and no other."""


def sesame_cases(folder: Path) -> dict[str, list[Path]]:
    """Returns SESAME's cases in a folder by kind; those of no known kind are under "unknown"."""
    cases: dict[str, list[Path]] = {kind: [] for kind in (*KINDS, "unknown")}
    for path in sorted(folder.glob("*.json")):
        facts = _facts(path, "parity-pack")
        if _is_sesame(facts):
            cases[next((kind for kind, name in KINDS.items() if name in facts["inputs"]), "unknown")].append(path)
    return cases


def sesame_manifests(folder: Path) -> list[Path]:
    """Returns SESAME's manifests of full-size keys in a folder."""
    return [path for path in sorted(folder.glob("*.json")) if _is_sesame(_facts(path, "parity-keys"))]


def _facts(path: Path, kind: str) -> dict[str, Any]:
    """Returns what the JSON of a pack says; nothing where it is of another kind."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    return facts if isinstance(facts, dict) and str(facts.get("format")).startswith(kind) else {}


def _is_sesame(facts: dict[str, Any]) -> bool:
    return "sesame" in str(facts.get("official_repository")).lower()


class Pack:
    """One case: options by name, inputs cast as the JSON says, wanted outputs."""

    def __init__(self, path: Path) -> None:
        self.json = json.loads(path.read_text(encoding="utf-8"))
        self.tensors = load_file(path.with_suffix(".safetensors"))
        options = self.json["options"]
        self.options = options if isinstance(options, dict) else {o["name"]: o["value"] for o in options}
        self.training = self.json["mode"] == "training"
        self.unchecked = {name for name in self.tensors if name.startswith("output/")}

    def part(self, name: str) -> dict[str, Tensor]:
        return {k.removeprefix(f"{name}/"): v for k, v in self.tensors.items() if k.startswith(f"{name}/")}

    def has_input(self, name: str) -> bool:
        return f"input/{name}" in self.tensors

    def input(self, name: str) -> Tensor:
        dtype = getattr(torch, self.json["inputs"][f"input/{name}"]["use_as"])
        return self.tensors[f"input/{name}"].to(dtype)

    def check(self, name: str, value: Tensor) -> None:
        """Asserts that `value` is the stored output within the case's tolerance."""
        wanted, tolerance = self.tensors[name], self.json["tolerance"]
        self.unchecked.discard(name)
        assert value.shape == wanted.shape, name
        scale = max(1.0, float(wanted.abs().max())) if wanted.numel() else 1.0
        bound = 0.0 if name in tolerance["exact"] else tolerance["atol"] + tolerance["rtol"] * scale
        worst = float((value.double() - wanted.double()).abs().max()) if wanted.numel() else 0.0
        assert worst <= bound, f"{name} is off by {worst:.2e}, {worst / bound:.1f} times the tolerance"

    def check_where_stored(self, **values: Tensor) -> None:
        """Checks those of `values` that the case holds, and that there was one for everything that it holds."""
        for name, value in values.items():
            if f"output/{name}" in self.tensors:
                self.check(f"output/{name}", value)
        assert not self.unchecked, f"nothing was compared with {sorted(self.unchecked)}"

    def check_state(self, network: torch.nn.Module) -> None:
        """After one pass: the buffers that the original changed have its values, all others their own."""
        after = original_keys.to_original(network.state_dict())
        for key, before in self.part("state").items():
            if f"state_after/{key}" in self.tensors:
                self.check(f"state_after/{key}", after[key])
            else:
                assert torch.equal(after[key], before.to(after[key].dtype)), f"{key} must not change"
