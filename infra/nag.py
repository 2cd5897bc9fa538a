"""Holds the stack against cdk-nag's AWS Solutions pack, in all its variants: `hatch run nag:check`.

What is accepted is acknowledged beside its resource, with the reason.
"""

import sys

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks  # type: ignore[import-not-found]

from infra.agent_function import LayerError
from infra.app import build

VARIANTS = (
    {"alarm_email": "on-call@example.com", "langfuse_secret": "langfuse", "cors_origins": "*"},
    {"auth": "iam", "xray": "true", "sessions": "true", "model_id": "global.anthropic.claude-sonnet-4-6"},
    {
        "snapstart": "true",
        "otlp_endpoint": "https://traces.example.com/v1/traces",
        "otlp_headers_secret": "otlp",
        "model_id": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
    },
)
"""Together they hold every resource that the stack can have."""


def main() -> int:
    """Print what the pack finds; 1 if it finds anything."""
    for variant in VARIANTS:
        app = App(context=variant)
        try:
            build(app, {})
            Validations.of(app).add_plugins(AwsSolutionsChecks(app))
            app.synth()
        except LayerError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except RuntimeError:  # the findings are printed by now
            return 1
    print(f"{len(VARIANTS)} variants: nothing to say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
