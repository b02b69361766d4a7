#!/usr/bin/env python3
"""Queries for tests/bench/search.sh: search.py CSV MANY SEED, a kind and a text a line."""

import csv
import itertools
import random
import sys


def main() -> None:
    path, many, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    draw = random.Random(seed)
    rows = []
    with open(path, newline="", encoding="utf-8") as file:
        for row in itertools.islice(csv.DictReader(file), 0, 900_000, 97):
            if row["AccountNumber"] and " " in row["Name"] and row["Phone"]:
                rows.append(row)
    common = ["ka", "ham", "ad", "ley", "rd"]
    for row in draw.sample(rows, many):
        print("rare", row["AccountNumber"].rsplit("-", 1)[1], sep="\t")
        print("phone", row["Phone"], sep="\t")
        print("phrase", f'"{row["Name"]}"', sep="\t")
    for word in common:
        print("common", word, sep="\t")
    print("absent", "xylophonist", sep="\t")
    for row in draw.sample(rows, 2):
        print("within", row["AccountNumber"][-8:-1], sep="\t")


main()
