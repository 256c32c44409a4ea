"""Whether saved weights belong to this model and this optimizer; if not, what differs first. Used by `checkpoint`."""

import json
from itertools import chain, zip_longest

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig

# What a configuration says about its origin and its outputs, not about the function that the model computes.
ASIDE = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache", "return_dict"}


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once: GPT-2's lm_head is its token embedding."""
    first: dict[int, str] = {}
    tensors = model.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in tensors.items() if first.setdefault(id(tensor), name) == name}


def description_of(model: nn.Module) -> dict:
    """What shapes do not show: the class with its settings, and the configuration of each model inside that has one.

    A number of heads, for one, changes no shape and yet the function.
    """
    configs = {}
    for name, module in model.named_modules():
        config = vars(module).get("config")
        if isinstance(config, PretrainedConfig) and not any(
            name.startswith(outer and f"{outer}.") for outer in configs
        ):
            configs[name] = json.loads(config.to_json_string(use_diff=False))
    return {"kind": f"{type(model).__name__}({model.extra_repr()})", "configs": configs}


def model_difference(saved: dict[str, Tensor], description: dict, model: nn.Module) -> str:
    """The first difference between what was saved and this model, as a sentence; empty when there is none.

    Of configurations the entries that both have are compared: releases of transformers add new ones.
    """
    own, here = tensors_of(model), description_of(model)
    if description["kind"] != here["kind"]:
        return f"it is a {description['kind']} in the file and a {here['kind']} here."
    for name in [*own, *saved]:
        there_form, own_form = (_form(tensors.get(name)) for tensors in (saved, own))
        if there_form != own_form:
            return f"'{name}' is {there_form} in the file and {own_form} here."
    for name, config in here["configs"].items():
        there = description["configs"].get(name, {})
        for key in sorted(set(config) & set(there) - ASIDE):
            if there[key] != config[key]:
                return f"its configuration has {key}={there[key]!r} in the file and {config[key]!r} here."
    return ""


def parameter_names(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[list[str]]:
    """The names of the optimizer's parameters, group by group: torch itself saves their positions only.

    Raises ValueError when the optimizer holds a parameter that the model does not have.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [[names.get(id(parameter), "") for parameter in group["params"]] for group in optimizer.param_groups]
    if "" in chain.from_iterable(groups):
        raise ValueError("optimizer holds a parameter that the model does not have; pass the model that it trains.")
    return groups


def optimizer_difference(kind: str, names: list[list[str]], model: nn.Module, optimizer: torch.optim.Optimizer) -> str:
    """The first difference between a saved optimizer (its class, its parameters by group) and this one, or nothing."""
    if kind != type(optimizer).__name__:
        return f"it is a {kind} in the file and a {type(optimizer).__name__} here."
    own = parameter_names(model, optimizer)
    for there, here in zip_longest(chain.from_iterable(names), chain.from_iterable(own), fillvalue="nothing"):
        if there != here:
            return f"it trains {there} in the file where it trains {here} here."
    return "" if names == own else "its parameters stand in other groups in the file."


def _form(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else f"{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"
