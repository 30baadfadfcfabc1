"""The one door: webhooks of the providers, the API of the agents, and the agents' accounts."""

import json
from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.acknowledgements import acknowledge
from shared.runtime.settings import ADMINISTRATORS

HTTP = apigateway.HttpMethod
WEBHOOK_ROUTES = ("/webhooks/{provider}", "/webhooks/{provider}/{path+}")
WEBHOOK_METHODS = [HTTP.GET, HTTP.POST]
"""Not ANY: that would take a browser's preflight too, which the gateway then leaves to the function
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html), and a page of the
company's site could not open a chat.
"""
API_ROUTE = "/v1/{path+}"
API_METHODS = [HTTP.GET, HTTP.POST, HTTP.PUT, HTTP.PATCH, HTTP.DELETE]
PREFERENCES_ROUTE = "/preferences/{token}"
OPEN_ROUTES = ("/openapi.json", "/docs")

ACCESS_LOG = {
    "request_id": "$context.requestId",
    "at": "$context.requestTimeEpoch",
    "route": "$context.routeKey",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "integration_milliseconds": "$context.integrationLatency",
    "integration_error": "$context.integration.error",
    "bytes": "$context.responseLength",
}
"""No address, no path, no header, no caller: those are personal, or can be."""


class Agents(Construct):
    """The people who answer customers: invited, with a second factor.

    Their front end signs in by SRP and holds no secret.
    """

    def __init__(self, scope: Construct, construct_id: str, *, production: bool) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(
            self,
            "pool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            mfa=cognito.Mfa.REQUIRED,
            mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_lowercase=True,
                require_uppercase=True,
                require_digits=True,
                require_symbols=True,
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=production,
            removal_policy=RemovalPolicy.RETAIN if production else RemovalPolicy.DESTROY,
        )
        acknowledge(
            self.pool, {"COG8": "Priced per agent; a company turns it on where it wants it."}
        )
        self.pool.add_group(
            ADMINISTRATORS,
            group_name=ADMINISTRATORS,
            description="Who decides which systems of the company hear what happens",
        )
        self.client = self.pool.add_client(
            "client",
            auth_flows=cognito.AuthFlow(user_srp=True),
            disable_o_auth=True,
            prevent_user_existence_errors=True,
            access_token_validity=Duration.hours(1),
            id_token_validity=Duration.hours(1),
            refresh_token_validity=Duration.days(7),
            enable_token_revocation=True,
        )


class HttpApi(Construct):
    """Made before the functions, some of which must know its address, and connected after."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        api_name: str,
        origins: Sequence[str],
        requests_per_second: int,
        request_burst: int,
        log_retention: logs.RetentionDays,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(
            self,
            "api",
            api_name=api_name,
            create_default_stage=False,
            cors_preflight=apigateway.CorsPreflightOptions(
                allow_origins=list(origins),
                allow_methods=[apigateway.CorsHttpMethod(method.name) for method in API_METHODS],
                allow_headers=["authorization", "content-type", "idempotency-key"],
                expose_headers=["x-next-cursor"],
                max_age=Duration.hours(1),
            ),
        )
        access_log = logs.LogGroup(
            self,
            "access_log",
            log_group_name=f"/aws/vendedlogs/apigateway/{api_name}",
            retention=log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.stage = apigateway.HttpStage(
            self,
            "stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=requests_per_second, burst_limit=request_burst
            ),
        )
        default_stage = self.stage.node.default_child
        assert isinstance(default_stage, apigateway.CfnStage)
        default_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access_log.log_group_arn, format=json.dumps(ACCESS_LOG)
        )

    def connect(
        self,
        *,
        webhook_intake: lambda_.IFunction,
        agent_api: lambda_.IFunction,
        preference_page: lambda_.IFunction,
        agents: Agents,
    ) -> None:
        """Every route, to the function that answers it."""
        intake = integrations.HttpLambdaIntegration("intake", webhook_intake)
        api = integrations.HttpLambdaIntegration("agents", agent_api)
        signed_in = authorizers.HttpUserPoolAuthorizer(
            "signed_in", agents.pool, user_pool_clients=[agents.client]
        )
        for path in WEBHOOK_ROUTES:
            for route in self.api.add_routes(
                path=path, methods=WEBHOOK_METHODS, integration=intake
            ):
                acknowledge(route, {"APIG4": "The function verifies the provider's signature."})
        self.api.add_routes(
            path=API_ROUTE, methods=API_METHODS, integration=api, authorizer=signed_in
        )
        preferences = integrations.HttpLambdaIntegration("preferences", preference_page)
        for route in self.api.add_routes(
            path=PREFERENCES_ROUTE, methods=[HTTP.GET, HTTP.POST], integration=preferences
        ):
            acknowledge(route, {"APIG4": "The link is signed; the function verifies it."})
        for path in OPEN_ROUTES:
            for route in self.api.add_routes(path=path, methods=[HTTP.GET], integration=api):
                acknowledge(route, {"APIG4": "The description of the API; it holds no data."})
