"""How an answer is held against a recorded one: shape (keys, and the types of values), error codes, and values."""

import json
import re
import xml.etree.ElementTree as ElementTree

FORMS = (
    ("datetime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+0000)"),
    ("date", r"\d{4}-\d\d-\d\d"),
    ("path", r"/services/\S*"),
    ("id", r"(?=.*\d)[0-9A-Za-z]{15}([0-9A-Za-z]{3})?"),
)
# A value that the recording's authors put a placeholder for, or that differs by its nature.
MADE_UP = re.compile(r"00D0xORGID00000000|0010xACCOUNTID0000")


def type_of(value):
    """The JSON type; of text the form, where it has one. Whole numbers and others are two types."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "integer" if isinstance(value, int) else "decimal"
    return next((form for form, pattern in FORMS if re.fullmatch(pattern, value)), "string")


class Shape:
    """What stands at one place of one or many values: types, keys, and the shape of a list's elements."""

    def __init__(self):
        self.types, self.keys, self.element = set(), None, None

    def add(self, value):
        if isinstance(value, dict):
            self.types.add("object")
            self.keys = {} if self.keys is None else self.keys
            for key, inner in value.items():
                self.keys.setdefault(key, Shape()).add(inner)
        elif isinstance(value, list):
            self.types.add("list")
            for inner in value:
                self.element = self.element or Shape()
                self.element.add(inner)
        else:
            self.types.add(type_of(value))
        return self


def differences(recorded, ours, cut=False, at=""):
    """What differs between two shapes, in words. `cut`: the recording shows only some of the keys."""
    known, given = recorded.types - {"null"}, ours.types - {"null"}
    # text that looks like an id or a date by chance is text, too
    odd = {form for form in given ^ known if not (form in dict(FORMS) and "string" in known & given)}
    if known and given and odd:
        yield f"{at or 'body'}: {'/'.join(sorted(given))} for {'/'.join(sorted(known))}"
    if recorded.keys is not None and ours.keys is not None:
        missing = recorded.keys.keys() - ours.keys.keys()
        more = set() if cut else ours.keys.keys() - recorded.keys.keys()
        if missing:
            yield f"{at or 'body'}: without {', '.join(sorted(missing))}"
        if more:
            yield f"{at or 'body'}: has {', '.join(sorted(more))} beyond the recording"
        for key in sorted(recorded.keys.keys() & ours.keys.keys()):
            yield from differences(recorded.keys[key], ours.keys[key], cut, f"{at}.{key}".lstrip("."))
    if recorded.element and ours.element:
        yield from differences(recorded.element, ours.element, cut, f"{at}[]")
    elif recorded.element and not ours.element and "list" in ours.types:
        yield f"{at or 'body'}: empty"


def from_xml(text):
    """Elements as objects, several of a name as a list; values as text in their form."""

    def plain(element):
        if not len(element):
            return element.text or None
        found = {}
        for child in element:
            found.setdefault(child.tag, []).append(plain(child))
        return {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}

    root = ElementTree.fromstring(text)
    return {root.tag: plain(root)}


def error_codes(body):
    """Codes of an error body of any API, with those of sub-answers of a composite; None without any."""
    if isinstance(body, dict) and "compositeResponse" in body:
        return [(part["httpStatusCode"], error_codes(part["body"])) for part in body["compositeResponse"]]
    if isinstance(body, dict):
        return body.get("error") or body.get("exceptionCode")
    if isinstance(body, list) and body and isinstance(body[0], dict) and "errorCode" in body[0]:
        return [error["errorCode"] for error in body]
    return None


def plain_values(value):
    """A value without what differs between two orgs: hosts, versions in paths, and the order of records."""
    if isinstance(value, dict):
        # when a schema was changed last is of its org
        return {key: plain_values(inner) for key, inner in value.items() if key not in ("ETag", "Last-Modified")}
    if isinstance(value, list):
        return sorted((plain_values(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    if isinstance(value, str):
        value = MADE_UP.sub("(an id)", value)
        return re.sub(r"^https?://[^/]+/", "https://host/", re.sub(r"/v\d+\.0/", "/v/", value))
    return value


def value_differences(recorded, ours, at=""):
    """Where values differ, in words; both as `plain_values` gives them."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for key in recorded.keys() & ours.keys():
            yield from value_differences(recorded[key], ours[key], f"{at}.{key}".lstrip("."))
    elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        for one, other in zip(recorded, ours):
            yield from value_differences(one, other, f"{at}[]")
    elif recorded != ours and "(an id)" not in str(recorded):
        yield f"{at or 'body'}: {str(ours)[:60]!r} for {str(recorded)[:60]!r}"
