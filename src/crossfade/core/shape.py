"""What is looked at in a payload, read from its model once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from msgspec import UNSET, Struct
from msgspec import inspect as kinds

from .rule import AtMost, Monotone, OneRowADay, OnlyIf, Rule, Unique, Voluntary
from .value import Judge, column_of, judge_of


class ModelError(Exception):
    """A payload's model cannot be read, or its rules name fields that it lacks. The message says what to mend."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One plain value."""

    judge: Judge
    optional: bool
    all_valid: Callable[[Sequence[object]], bool] | None
    """Judges a column at once: True only if every value passes; None if there is no quicker way."""


@dataclass(frozen=True, slots=True)
class Inner:
    """A struct within. Its shape is looked up when it is met: a model may hold itself."""

    model: type[Struct]
    optional: bool


@dataclass(frozen=True, slots=True)
class Many:
    """A collection of what is alike."""

    item: "Node"
    least: int
    most: int | None
    optional: bool


Node = Leaf | Inner | Many


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct: its name in Python, its name outside, and what is in it."""

    name: str
    label: str
    node: Node
    only_if: str | None
    """The count that must not be 0 for a value to be expected."""
    voluntary: bool = False
    """Whether it is expected only where it is known."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is looked at in one kind of struct."""

    model: type[Struct]
    values: tuple[Field, ...]
    """All fields but the key."""
    key: Field | None
    """What names the struct as a row of a series."""
    by_day: bool
    """Whether the key is a day."""
    at_most: tuple[AtMost, ...]
    monotone: tuple[Monotone, ...]
    labels: Mapping[str, str]


@lru_cache(maxsize=256)
def shape_of(model: type[Struct]) -> Shape:
    """The shape of a model. Raises ModelError."""
    try:
        found = kinds.type_info(model)
        rules = tuple(getattr(model, "CHECKS", ()))
    except Exception as error:
        raise ModelError(f"{model.__name__} cannot be read: {error}") from error
    if not isinstance(found, kinds.StructType):
        raise ModelError(f"{model.__name__} is no msgspec Struct")
    return _shape(model, found, rules)


def slots(model: type[Struct], within: frozenset[type[Struct]] = frozenset()) -> int:
    """How many plain values a struct of the model holds; collections within, whose length is not known, aside."""
    if model in within:
        return 0
    return sum(_room(field.node, within | {model}) for field in shape_of(model).values)


def parts(model: type[Struct]) -> list[type[Struct]]:
    """The models of the structs within. Raises ModelError."""
    found = []
    for field in shape_of(model).values:
        node = field.node
        while isinstance(node, Many):
            node = node.item
        if isinstance(node, Inner):
            found.append(node.model)
    return found


def is_gap(value: object) -> bool:
    """Whether there is no value: unknown, or not set by whoever should have collected it."""
    return value is None or value is UNSET


def _room(node: Node, within: frozenset[type[Struct]]) -> int:
    match node:
        case Leaf():
            return 1
        case Inner():
            return slots(node.model, within)
        case Many():
            return 0


def _shape(model: type[Struct], found: kinds.StructType, rules: tuple[Rule, ...]) -> Shape:
    labels = {each.name: each.encode_name for each in found.fields}
    only_if = {}
    voluntary = {rule.field for rule in rules if isinstance(rule, Voluntary)}
    keys: list[Unique | OneRowADay] = []
    for rule in rules:
        _refuse_unknown(model, rule, labels)
        match rule:
            case OnlyIf():
                only_if[rule.field] = rule.other
            case Unique() | OneRowADay():
                keys.append(rule)
    if len(keys) > 1:
        raise ModelError(f"{model.__name__} has more than one key")
    fields = [Field(each.name, each.encode_name, _node(each.type), only_if.get(each.name), each.name in voluntary)
              for each in found.fields]
    key = keys[0] if keys else None
    return Shape(
        model=model,
        values=tuple(each for each in fields if key is None or each.name != key.field),
        key=next((each for each in fields if key is not None and each.name == key.field), None),
        by_day=isinstance(key, OneRowADay),
        at_most=tuple(rule for rule in rules if isinstance(rule, AtMost)),
        monotone=tuple(rule for rule in rules if isinstance(rule, Monotone)),
        labels=labels,
    )


def _refuse_unknown(model: type[Struct], rule: Rule, labels: Mapping[str, str]) -> None:
    if not isinstance(rule, Rule):
        raise ModelError(f"CHECKS of {model.__name__} holds {type(rule).__name__}, which is no rule")
    for name in (rule.field, rule.other) if isinstance(rule, AtMost | OnlyIf) else (rule.field,):
        if name not in labels:
            raise ModelError(f"{type(rule).__name__} names {name!r}, which {model.__name__} lacks")


def _node(kind: kinds.Type) -> Node:
    members, optional = _members(kind)
    if len(members) == 1:
        match _bare(members[0]):
            case kinds.StructType(cls=model):
                return Inner(model, optional)
            case kinds.DictType(value_type=item, min_length=least, max_length=most) \
                    | kinds.CollectionType(item_type=item, min_length=least, max_length=most):
                return Many(_node(item), least or 0, most, optional)
        return Leaf(judge_of(members[0]), optional, column_of(_bare(members[0])))
    return Leaf(judge_of(kinds.UnionType(members)), optional, None)


def _members(kind: kinds.Type) -> tuple[tuple[kinds.Type, ...], bool]:
    """What a value may be but null, and whether it may be null."""
    if not isinstance(kind, kinds.UnionType):
        return (kind,), isinstance(kind, kinds.NoneType | kinds.AnyType)
    rest = tuple(member for member in kind.types if not isinstance(member, kinds.NoneType))
    return rest, len(rest) < len(kind.types)


def _bare(kind: kinds.Type) -> kinds.Type:
    """The kind without what is said about it."""
    while isinstance(kind, kinds.Metadata):
        kind = kind.type
    return kind
