"""Update expressions: what they set, add and remove, read once and applied to a copy."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from re import compile as pattern
from typing import Any

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing import executors, validators
from moto.dynamodb.parsing.ast_nodes import (  # type: ignore[attr-defined]  # moto types it not
    ExpressionAttributeName,
    ExpressionAttributeValue,
)
from moto.dynamodb.parsing.expressions import (  # type: ignore[attr-defined]  # as above
    UpdateExpressionParser,
)
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from infra.local.items import Attributes

_CLAUSE = pattern(r"\b(SET|REMOVE|ADD|DELETE)\b")
_SET = pattern(r"^(#?\w+)\s*=\s*(:\w+)$")
_SET_ONCE = pattern(r"^(#?\w+)\s*=\s*if_not_exists\(\s*(#?\w+)\s*,\s*(:\w+)\s*\)$")
_ADD = pattern(r"^(#?\w+)\s+(:\w+)$")
_REMOVE = pattern(r"^(#?\w+)$")
_SPLIT = pattern(r",\s*(?![^()]*\))")


@dataclass(frozen=True)
class Plan:
    """An update expression, read once: what it sets, sets once, adds and removes, by token.

    `tree` is moto's, for an expression that says more than that.
    """

    sets: tuple[tuple[str, str], ...]
    sets_once: tuple[tuple[str, str, str], ...]
    adds: tuple[tuple[str, str], ...]
    removes: tuple[str, ...]
    names: frozenset[str]
    values: frozenset[str]
    tree: Any

    def apply(
        self,
        table: Any,
        hash_key: DynamoType,
        range_key: DynamoType | None,
        before: Item | None,
        names: Mapping[str, str],
        values: Attributes,
    ) -> Item:
        after = Item(hash_key, range_key, {})
        # Values are replaced, never changed in place, so old and new item may share them.
        old = before.attrs if before is not None else {}
        dict.update(after.attrs, old or keys_of(table, hash_key, range_key))
        if self.tree is not None:
            after = deepcopy(after)
            validator = validators.UpdateExpressionValidator(
                deepcopy(self.tree),
                expression_attribute_names=dict(names),
                expression_attribute_values=dict(values),
                item=after,
                table=table,
            )
            tree = validator.validate()
            tree.normalize()
            executors.UpdateExpressionExecutor(tree, after, dict(names)).execute()
            return after
        new: dict[str, DynamoType] = {}
        for token, value in self.sets:
            new[names.get(token, token)] = DynamoType(values[value])
        for token, looked_at, value in self.sets_once:
            present = old.get(names.get(looked_at, looked_at))
            new[names.get(token, token)] = present or DynamoType(values[value])
        for token, value in self.adds:
            name = names.get(token, token)
            new[name] = _sum(old.get(name), DynamoType(values[value]))
        dict.update(after.attrs, new)
        for token in self.removes:
            dict.pop(after.attrs, names.get(token, token), None)
        return after


def _sum(old: DynamoType | None, given: DynamoType) -> DynamoType:
    if given.is_set() and (old is None or old.type == given.type):
        return DynamoType({given.type: sorted({*(old.value if old else ()), *given.value})})
    if given.is_number() and (old is None or old.is_number()):
        return old + given if old is not None else given
    raise MockValidationException("An operand in the update expression has an incorrect data type")


def plan_of(table: Any, expression: str, names: Mapping[str, str], values: Attributes) -> Plan:
    return _read_plan(
        expression,
        tuple(sorted(names.items())),
        frozenset(values),
        (table.hash_key_attr, table.range_key_attr),
    )


@lru_cache(maxsize=1000)
def _read_plan(
    expression: str,
    names: tuple[tuple[str, str], ...],
    values: frozenset[str],
    keys: tuple[str, str | None],
) -> Plan:
    """Moto's parser checks the syntax; what it lets pass is checked here."""
    tree = UpdateExpressionParser.make(expression)
    named = frozenset(
        one.get_attribute_name_placeholder() for one in tree.find_clauses([ExpressionAttributeName])
    )
    valued = frozenset(
        one.get_value_name() for one in tree.find_clauses([ExpressionAttributeValue])
    )
    given = dict(names)
    for missing in sorted((named - set(given)) | (valued - values)):
        raise MockValidationException(
            "Invalid UpdateExpression: An expression attribute used in expression is not defined: "
            f"{missing}"
        )
    sets, sets_once, adds, removes = [], [], [], []
    simple = True
    targets: list[str] = []
    parts = _CLAUSE.split(expression)
    for verb, actions in zip(parts[1::2], parts[2::2], strict=True):
        for action in _SPLIT.split(actions.strip()):
            if verb == "SET" and (found := _SET.match(action)):
                sets.append((found[1], found[2]))
            elif verb == "SET" and (found := _SET_ONCE.match(action)):
                sets_once.append((found[1], found[2], found[3]))
            elif verb == "ADD" and (found := _ADD.match(action)):
                adds.append((found[1], found[2]))
            elif verb == "REMOVE" and (found := _REMOVE.match(action)):
                removes.append(found[1])
            else:
                simple = False
                continue
            targets.append(given.get(found[1], found[1]))
    raw = [one for one in (*_tokens(sets, sets_once, adds), *removes) if not one.startswith("#")]
    for name in raw:
        if name.upper() in ReservedKeywords.get_reserved_keywords():
            raise MockValidationException(
                "Invalid UpdateExpression: Attribute name is a reserved keyword; "
                f"reserved keyword: {name}"
            )
    for target in targets:
        if target in keys:
            raise MockValidationException(
                f"Cannot update attribute {target}. This attribute is part of the key"
            )
        if targets.count(target) > 1:
            raise MockValidationException(
                "Invalid UpdateExpression: Two document paths overlap with each other; "
                f"must remove or rewrite one of these paths; path one: [{target}]"
            )
    return Plan(
        tuple(sets),
        tuple(sets_once),
        tuple(adds),
        tuple(removes),
        named,
        valued,
        None if simple else tree,
    )


def _tokens(*actions: Sequence[tuple[str, ...]]) -> list[str]:
    return [action[0] for kind in actions for action in kind]


def keys_of(
    table: Any, hash_key: DynamoType, range_key: DynamoType | None
) -> dict[str, DynamoType]:
    """The attributes of an item's key."""
    keys = {table.hash_key_attr: hash_key}
    if range_key is not None:
        keys[table.range_key_attr] = range_key
    return keys
