"""Your resources: what your agent's tools need in AWS. Edit `add`; nothing else depends on this file.

An example, with one resource of each kind (import `aws_dynamodb as dynamodb` and so on from `aws_cdk`):

    def add(agent: AgentFunction) -> None:
        table = dynamodb.TableV2(
            agent, "Orders", partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
        )
        table.grant_read_write_data(agent.role)
        agent.function.add_environment("ORDERS_TABLE", table.table_name)

        bucket = s3.Bucket(agent, "Reports", enforce_ssl=True)
        bucket.grant_read(agent.role)

        secret = secretsmanager.Secret.from_secret_complete_arn(agent, "Shop", "arn:aws:secretsmanager:…")
        secret.grant_read(agent.role)

        agent.role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSESFullAccess"))

A tool reads the variable: `os.environ["ORDERS_TABLE"]`. `hatch run check-stack` checks the extended stack.
"""

from infra.agent_function import AgentFunction


def add(agent: AgentFunction) -> None:
    """Add resources to an agent: called once for each agent (`agent.name`)."""
