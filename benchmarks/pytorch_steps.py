"""Training steps in PyTorch: the ordinary one and those of Opacus."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.training_step import (
    CLIP_NORM,
    LEARNING_RATE,
    NOISE_MULTIPLIER,
    StepSettings,
    TrainingStep,
)

_DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def ordinary(settings: StepSettings) -> TrainingStep:
    """PyTorch's usual training loop."""
    model = settings.benchmarked_model.build("pytorch").to(_DEVICE)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    return _step(settings, model, optimizer, nn.CrossEntropyLoss())


def opacus_hooks(settings: StepSettings) -> TrainingStep:
    """Opacus' default: per-example gradients in hooks of the layers."""
    return _opacus(settings, "hooks")


def opacus_functorch(settings: StepSettings) -> TrainingStep:
    """Opacus with per-example gradients by `torch.func` for every layer."""
    return _opacus(settings, "functorch")


def opacus_ghost(settings: StepSettings) -> TrainingStep:
    """Opacus' ghost clipping: norms first, then a second backward pass."""
    return _opacus(settings, "ghost")


def _opacus(settings: StepSettings, mode: str) -> TrainingStep:
    from opacus import PrivacyEngine

    model = settings.benchmarked_model.build("pytorch").to(_DEVICE)
    examples = TensorDataset(*_examples(settings))
    # Ghost clipping has a loss of its own, which is the third of four; else there are three.
    model, optimizer, *loss, _ = PrivacyEngine().make_private(
        module=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=LEARNING_RATE),
        criterion=nn.CrossEntropyLoss(),
        data_loader=DataLoader(examples, batch_size=settings.batch),
        noise_multiplier=NOISE_MULTIPLIER,
        max_grad_norm=CLIP_NORM,
        poisson_sampling=False,
        grad_sample_mode=mode,
    )
    return _step(settings, model, optimizer, *(loss or [nn.CrossEntropyLoss()]))


def _examples(settings: StepSettings) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = map(
        torch.from_numpy, settings.benchmarked_model.random_examples(settings.batch)
    )
    return images.permute(0, 3, 1, 2).contiguous().to(_DEVICE), labels.to(_DEVICE)


def _step(
    settings: StepSettings, model: nn.Module, optimizer: torch.optim.Optimizer, loss: Callable
) -> TrainingStep:
    images, labels = _examples(settings)

    def run() -> None:
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()
        if _DEVICE == "cuda":
            torch.cuda.synchronize()

    parameters = sum(parameter.numel() for parameter in model.parameters())
    if _DEVICE == "cpu":
        return TrainingStep(run, parameters)
    return TrainingStep(
        run, parameters, torch.cuda.get_device_name(), torch.cuda.max_memory_allocated
    )
