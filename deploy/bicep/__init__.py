"""Evaluates the Bicep files of this project without Azure: what would be made, with every name and value.

It knows the part of Bicep that `deploy/azure` uses and raises `BicepError` for the rest. What only Azure knows, such
as an identity's client id, stays a `Runtime` value that says where it comes from.
"""

from deploy.bicep.evaluate import Deployment, evaluate, read_params
from deploy.bicep.values import BicepError, Resource, Runtime

__all__ = ["BicepError", "Deployment", "Resource", "Runtime", "evaluate", "read_params"]
