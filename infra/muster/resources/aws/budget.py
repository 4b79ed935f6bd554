"""An alarm on what the stack costs."""

import pulumi_aws as aws

from muster.plan.aws.parts import STACK_TAG, BudgetPlan
from muster.resources.aws.account import Account

ACTUAL_PERCENT, FORECAST_PERCENT = 80, 100


def make(plan: BudgetPlan, account: Account) -> None:
    """A monthly budget over the resources that carry the stack's tag.

    The tag must be activated for cost allocation once: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
    """
    aws.budgets.Budget(
        "budget",
        name=account.eks.name,
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=str(plan.monthly_usd),
        limit_unit="USD",
        cost_filters=[{"name": "TagKeyValue", "values": [f"user:{STACK_TAG}${account.eks.tags[STACK_TAG]}"]}],
        notifications=[
            {
                "comparison_operator": "GREATER_THAN",
                "notification_type": kind,
                "threshold": percent,
                "threshold_type": "PERCENTAGE",
                "subscriber_email_addresses": list(plan.emails),
            }
            for kind, percent in (("ACTUAL", ACTUAL_PERCENT), ("FORECASTED", FORECAST_PERCENT))
        ],
        opts=account.options(),
    )
