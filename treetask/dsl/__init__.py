"""Declaring tasks: decorators on a registry, compiled to a tree before anything runs.

`_registry` and `_decorators` are what users write; `_inspection` looks at their functions once; `_declare` enters a
declaration; `_dataflow` and `_compile` make nodes of declarations; `_bound` is what the engine calls.
"""

from treetask.dsl._bound import BoundBody
from treetask.dsl._cached import cache_of, data_of, key_parameters, version_of
from treetask.dsl._compile import declaration_of, options_below
from treetask.dsl._declaration import Cache, Declaration, OptionalEdge
from treetask.dsl._decorators import (
    AsyncGroup,
    Group,
    Scope,
    SyncGroup,
    parameter_defaults,
    parameter_types,
    required_parameters,
)
from treetask.dsl._errors import BodyError, MisplacedDependencyError
from treetask.dsl._late import LateBody, give, late_bodies, refuse_company
from treetask.dsl._params import Params
from treetask.dsl._registry import Registry
from treetask.dsl._resource import Resource, resources_of
from treetask.dsl._run import HowToRun, Runner, install_runner
from treetask.dsl._taken import arguments_of_body, parameters_taken, results_taken, results_taken_by_templates
from treetask.dsl._task import AsyncTask, SyncTask, Task

__all__ = [
    "AsyncGroup",
    "AsyncTask",
    "BodyError",
    "BoundBody",
    "Cache",
    "Declaration",
    "Group",
    "HowToRun",
    "LateBody",
    "MisplacedDependencyError",
    "OptionalEdge",
    "Params",
    "Registry",
    "Resource",
    "Runner",
    "Scope",
    "SyncGroup",
    "SyncTask",
    "Task",
    "arguments_of_body",
    "cache_of",
    "data_of",
    "declaration_of",
    "give",
    "install_runner",
    "key_parameters",
    "late_bodies",
    "options_below",
    "parameter_defaults",
    "parameter_types",
    "parameters_taken",
    "refuse_company",
    "required_parameters",
    "resources_of",
    "results_taken",
    "results_taken_by_templates",
    "version_of",
]
