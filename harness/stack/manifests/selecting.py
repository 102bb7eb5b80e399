"""Which pods a label selector picks: all that it says has to hold (apimachinery, ``LabelSelectorAsSelector``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def picks(selector: Mapping[str, Any] | None, labels: Mapping[str, Any]) -> bool:
    """Whether ``selector``, as a manifest writes it, picks pods with ``labels``: an empty one all, none at all none."""
    if selector is None:
        return False
    pairs, rules = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in pairs.items()) and all(_holds(each, labels) for each in rules)


def _holds(rule: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(rule.get("key")), rule.get("values") or []
    match rule.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
