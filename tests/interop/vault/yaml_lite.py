"""One value out of a YAML file of `key: value` lines, which is all that the quickstart's Secrets are."""


def value(path, key):
    for line in path.read_text().splitlines():
        name, _, text = line.strip().partition(": ")
        if name == key:
            return text
    raise KeyError(f"{path} has no {key}")
