"""The way of the touchpoints of a batch: nobody has to think about any of them, so one
step, which ties each to its profile, is all of it.
"""

from typing import Any

from infra.constructs.journey import REFUSED, RETRY, record_failure


def definition(*, profile_update: str, touchpoints_table: str, partition: str) -> dict[str, Any]:
    """The state machine. `profile_update` is the ARN of its step.

    When its step gives up, those it could not tie are recorded as failed, each for itself; for the
    others the table refuses that. They bear the name of one error, which need not be each one's
    own.
    """
    recording = record_failure(touchpoints_table, partition, then="recorded")
    was_tied = {"ErrorEquals": [REFUSED], "ResultPath": None, "Next": "recorded"}
    record_failures = {
        "Type": "Map",
        "ItemsPath": "$.touchpoint_ids",
        "ItemSelector": {
            "touchpoint_id.$": "$$.Map.Item.Value",
            "attempt": 1,
            "failed_step": "profile_update",
            "failure.$": "$.failure",
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "record_failure",
            "States": {
                "record_failure": {**recording, "Catch": [was_tied]},
                "recorded": {"Type": "Succeed"},
            },
        },
        "ResultPath": None,
        "Next": "failed",
    }
    catch = {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "record_failures"}
    return {
        "Comment": "The way of the touchpoints of a batch",
        "QueryLanguage": "JSONPath",
        "StartAt": "profile_update",
        "States": {
            "profile_update": {
                "Type": "Task",
                "Resource": profile_update,
                "ResultPath": None,
                "Retry": RETRY,
                "Catch": [catch],
                "Next": "finished",
            },
            "finished": {"Type": "Succeed"},
            "record_failures": record_failures,
            "failed": {"Type": "Fail", "Error": "StepFailed"},
        },
    }
