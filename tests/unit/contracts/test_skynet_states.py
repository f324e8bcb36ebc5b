"""The tables of what may follow what for transfers, tasks and runs: every legal step, and every illegal one."""

from itertools import product

import pytest

from contracts.skynet.states import (
    IllegalStep,
    RunState,
    RunStep,
    TaskStatus,
    TaskStep,
    TransferState,
    TransferStep,
    run_after,
    task_after,
    transfer_after,
)

TRANSFERS = {
    ("started", "pending"): "active",
    ("progressed", "active"): "active",
    ("completed", "active"): "completed",
    ("failed", "active"): "failed",
    ("canceled", "pending"): "canceled",
    ("canceled", "active"): "canceled",
    ("requested", "failed"): "pending",
    ("requested", "canceled"): "pending",
}
"""Written out, as the others: the tables in the contracts have to say the same."""

TASKS = {
    ("assigned", "unassigned"): "pending",
    ("assigned", "pending"): "pending",
    ("started", "pending"): "active",
    ("progressed", "active"): "active",
    ("completed", "active"): "completed",
    ("failed", "active"): "failed",
    ("interrupted", "active"): "interrupted",
    ("expired", "pending"): "not_attempted",
    ("resumed", "interrupted"): "active",
    ("canceled", "unassigned"): "canceled",
    ("canceled", "pending"): "canceled",
    ("canceled", "active"): "canceled",
    ("canceled", "interrupted"): "canceled",
}

RUNS = {
    ("started", "ready"): "running",
    ("progressed", "running"): "running",
    ("returned", "running"): "ready",
    ("completed", "running"): "completed",
    ("failed", "running"): "failed",
    ("canceled", "ready"): "canceled",
    ("canceled", "running"): "canceled",
}


@pytest.mark.parametrize(("step", "before"), list(product(TransferStep, TransferState)))
def test_a_transfer_goes_where_the_table_says_and_nowhere_else(
    step: TransferStep, before: TransferState
) -> None:
    if (step, before) in TRANSFERS:
        assert transfer_after(step, before) == TRANSFERS[step, before]
    else:
        with pytest.raises(IllegalStep, match=rf"{before} cannot be {step}"):
            transfer_after(step, before)


@pytest.mark.parametrize(("step", "before"), list(product(TaskStep, TaskStatus)))
def test_a_task_goes_where_the_table_says_and_nowhere_else(step: TaskStep, before: TaskStatus) -> None:
    if (step, before) in TASKS:
        assert task_after(step, before) == TASKS[step, before]
    else:
        with pytest.raises(IllegalStep, match=rf"{before} cannot be {step}"):
            task_after(step, before)


@pytest.mark.parametrize(("step", "before"), list(product(RunStep, RunState)))
def test_a_run_goes_where_the_table_says_and_nowhere_else(step: RunStep, before: RunState) -> None:
    if (step, before) in RUNS:
        assert run_after(step, before) == RUNS[step, before]
    else:
        with pytest.raises(IllegalStep, match=rf"{before} cannot be {step}"):
            run_after(step, before)
