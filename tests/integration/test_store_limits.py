"""The largest thing each step may write is one that DynamoDB takes."""

from functions.profile_update.logic import LARGEST_TRAIT, MOST_TRAITS
from shared.domain.profile import Trait
from shared.ports import Attachment
from tests.builders import NOON, identifier, observed, profile_id, whatsapp_message
from tests.integration.conftest import Stores


def test_a_profile_takes_the_most_traits_under_the_longest_names(real_stores: Stores) -> None:
    """An expression holds 4 KB, and every name stands in it more than once."""
    seen = whatsapp_message()
    real_stores.ledger.record([observed(seen)])
    trait = Trait(value="é" * LARGEST_TRAIT, at=NOON)
    traits = {f"{n:02} {'é' * 97}": trait for n in range(MOST_TRAITS)}
    real_stores.profiles.attach(
        Attachment(
            touchpoint=seen,
            profile_id=profile_id(),
            new_identifiers=(identifier(),),
            is_new=True,
            traits=traits,
            suggestion=None,
            finished=True,
            event=None,
        )
    )
    profile = real_stores.profiles.read(profile_id())
    assert profile is not None and profile.traits == traits
