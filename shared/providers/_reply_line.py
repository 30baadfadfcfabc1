"""A line of ours on another channel, where who wrote or dialled is answered."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ReplyLine(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    channel: Literal["email", "sms", "push"]
    provider: str = Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")
    account: str = Field(min_length=1, max_length=320)
