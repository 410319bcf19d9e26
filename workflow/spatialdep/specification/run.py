"""What one training run is: everything that decides its result, and nothing else."""

from dataclasses import dataclass, field, fields
from typing import Any

BASELINE = "none"

Option = bool | int | float | str


def _described(description: str, default: Any = None, *, choices: tuple[str, ...] = ()) -> Any:
    """Declare a field with its help text, which the command line and the schema show."""
    return field(default=default, metadata={"description": description, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained (the table "Training recipes" of the protocol)."""

    name: str = field(metadata={"description": "name of the recipe in the configuration"})
    epochs: int = field(metadata={"description": "passes over the training images"})
    batch_size: int = _described("images in a training step, over all GPUs", 128)
    test_batch_size: int = _described("images in a test step", 100)
    learning_rate: float = _described("learning rate at the start, or the peak of one_cycle", 0.1)
    schedule: str = _described(
        "how the learning rate falls", "multistep", choices=("multistep", "one_cycle")
    )
    milestones: tuple[int, ...] = _described("epochs after which multistep lowers the rate", ())
    gamma: float = _described("factor of each milestone", 0.1)
    momentum: float = _described("momentum of SGD", 0.9)
    nesterov: bool = _described("Nesterov momentum", False)
    weight_decay: float = _described("L2 penalty, on every parameter", 5e-4)
    augmentation: str = _described(
        "random changes of the training images",
        "crop_flip",
        choices=("none", "crop_flip", "random_resized_crop"),
    )
    precision: str = _described(
        "number format of the forward and backward pass; weights stay float32",
        "bfloat16",
        choices=("bfloat16", "float32"),
    )
    deterministic: bool = _described("the same bytes on every run on one kind of GPU", False)
    sync_batch_norm: bool = _described("batch statistics over all GPUs instead of each", False)
    gpus: int = _described("GPUs of one node that share a batch", 1)


@dataclass(frozen=True, kw_only=True)
class RunSpecification:
    """One network, modified in one way, trained once.

    ``options`` holds the operation's and the architecture's switches, sorted by name and without
    those that have their default value, so that equal runs are equal objects.
    """

    dataset: str = field(metadata={"description": "name of the dataset in the configuration"})
    image_size: int = field(metadata={"description": "height and width of the images in pixels"})
    architecture: str = field(metadata={"description": "network, such as vgg16"})
    width: float = _described("factor on the number of channels", 1.0)
    operation: str = _described("what is done to the modified units; none: baseline", BASELINE)
    last_k: int = _described("how many of the last units are modified", 0)
    units: tuple[str, ...] = _described("the modified units by name, instead of the last k", ())
    options: tuple[tuple[str, Option], ...] = _described("switches as name=value", ())
    recipe: Recipe
    seed: int = _described("seed of initial weights, order, augmentation and shuffles", 0)

    @property
    def id(self) -> str:
        """Readable, unique path of the run below ``results/runs``."""
        return "/".join(
            (
                self.dataset,
                self.recipe.name,
                self.network_id,
                self.operation_id,
                self.units_id,
                f"seed{self.seed}",
            )
        )

    @property
    def network_id(self) -> str:
        """Architecture and, where it is not 1, width: ``vgg16-w0.25``."""
        name = self.architecture.replace("/", "-")
        return name if self.width == 1 else f"{name}-w{self.width:g}"

    @property
    def operation_id(self) -> str:
        """Operation and its switches: ``patch_shuffle-patch_4``."""
        return "".join((self.operation, *(_option_id(*option) for option in self.options)))

    @property
    def units_id(self) -> str:
        """The modified units: ``last4``, ``unit-conv41``, ``units-conv12+conv41``."""
        if not self.units:
            return f"last{self.last_k}"
        return f"unit{'s' * (len(self.units) > 1)}-{'+'.join(self.units)}"

    @property
    def is_baseline(self) -> bool:
        """Whether the network is the plain one."""
        return self.operation == BASELINE

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as JSON holds it; :meth:`from_dict` is the inverse."""
        return {
            **vars(self),
            "options": dict(self.options),
            "units": list(self.units),
            "recipe": {**vars(self.recipe), "milestones": list(self.recipe.milestones)},
        }

    @classmethod
    def from_dict(cls, whole: dict[str, Any]) -> "RunSpecification":
        """Rebuild a specification from :meth:`to_dict`'s form.

        Raises
        ------
        TypeError
            If a field is missing or unknown.
        """
        recipe = {**whole["recipe"], "milestones": tuple(whole["recipe"]["milestones"])}
        return cls(
            **{
                **whole,
                "units": tuple(whole["units"]),
                "options": tuple(sorted(whole["options"].items())),
                "recipe": Recipe(**recipe),
            }
        )


def described_fields(kind: type[Recipe] | type[RunSpecification]) -> dict[str, dict[str, Any]]:
    """Return each field's description and choices by name."""
    return {entry.name: dict(entry.metadata) for entry in fields(kind) if entry.metadata}


def _option_id(name: str, value: Option) -> str:
    if isinstance(value, bool):
        return f"-{name}" if value else f"-no_{name}"
    return f"-{name}_{value}"
