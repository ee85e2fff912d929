"""Approaches x splits of one archive -> runs; what is done is not done again."""

from cxrbench.study.engine import carry_out
from cxrbench.study.performing import Outcome, perform
from cxrbench.study.plan import Plan, RunTask, describe_plan, make_plan, require_known
from cxrbench.study.preparation import Materials, prepare_study

__all__ = [
    "Materials",
    "Outcome",
    "Plan",
    "RunTask",
    "carry_out",
    "describe_plan",
    "make_plan",
    "perform",
    "prepare_study",
    "require_known",
]
