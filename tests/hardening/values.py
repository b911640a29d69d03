"""SQL expressions of each type: what functions are meant to get, and what they must survive."""

import random

from meant import MEANT, PLACES

TEXTS = [
    "이차방정식의 두 근의 합을 구하시오.",
    "a",
    "",
    " \t\n",
    "x" * 3000,
    "\x01\x7f\u0085",
    "\u202eabc\u200d\u0301 👩‍👩‍👧 \ufffd\uffff",
    "문제: {question_text}",
    "{body} {nope} {{ } %s %n $1",
    "'; DROP TABLE kept.items; --",
    '"Odd ""name"""',
    "NaN",
    "<|im_end|><|image_pad|>",
    "SELECT 1",
]
RELATIONS = [
    *("loose.notes", "loose.topics", "loose.parted", "loose.parted_1", "kept.items", "kept.runs"),
    *("kept.items_embedding", "pg_class", "focus.ours", "public.embedding_columns"),
    *("loose.notes_id_seq", "pg_toast.pg_toast_1255", "0", "4294967295"),
]
NAMES = [
    "id",
    "body",
    "note",
    "embedding",
    "Odd name",
    'q"q',
    "",
    "x" * 63,
    "a;b",
    "ctid",
    "tableoid",
]
PLAIN: dict[str, list[str]] = {
    "bool": ["true", "false"],
    "int2": ["0", "1", "-1", "32767", "-32768"],
    "int4": ["0", "1", "-1", "2", "16", "64", "1000", "2147483647", "-2147483648"],
    "int8": ["0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808"],
    "float4": ["0", "1", "NaN", "Infinity", "-Infinity", "1e-45", "3.4e38"],
    "float8": ["0", "-0", "0.5", "1", "-1", "NaN", "Infinity", "-Infinity", "1e308", "5e-324"],
    "numeric": ["0", "NaN", "Infinity", "1e1000"],
    "oid": ["0", "1", "1259", "4294967295"],
    "tid": ["(0,0)", "(0,1)", "(4294967295,65535)"],
    "xid8": ["0", "3", "18446744073709551615"],
    "json": [
        "null",
        "{}",
        "[]",
        '{"a": "SELECT query_id, item_id, score FROM kept.runs"}',
        '"x"',
        "1e999",
    ],
    "jsonb": ["null", "{}", "[]", '[{"id": 1, "fault": null}]', '{"a": [1, {"b": null}]}', "1"],
    "regtype": ["text", "vector", "0", "halfvec", "4294967295"],
    "timestamptz": ["epoch", "infinity", "-infinity", "2024-02-29 12:00+09"],
    "interval": ["0", "1 s", "-178000000 years"],
    "uuid": ["00000000-0000-0000-0000-000000000000"],
    "vector": [
        "[1,2,3]",
        "[0,0,0]",
        f"[{','.join(['1'] * 32)}]",
        f"[{','.join(['0'] * 2000)}]",
        "[3e38,-3e38]",
    ],
    "halfvec": ["[1,2,3]", f"[{','.join(['1'] * 32)}]", "[65504]"],
    "regclass": RELATIONS,
    "name": NAMES,
}
# What may come where all else is as it should be.
TAME = {"bool": "false", "int2": "1", "int4": "1", "int8": "1", "float8": "0.5", "oid": "1259"}
HUGE = 20000


def quoted(text: str) -> str:
    """A literal of any text."""
    return "'" + text.replace("'", "''") + "'"


class Values:
    """Draws expressions; the same seed and calls, the same expressions.

    While it is tame, arguments are as they are meant to be, as far as their names tell.
    """

    def __init__(self, chance: random.Random, images: list[bytes]):
        self.chance = chance
        self.images = images
        self.tame = False
        self.place = PLACES[0]

    def begin(self) -> None:
        """A call: tame or not, about one table."""
        self.tame = self.chance.random() < 0.4
        self.place = self.chance.choice(PLACES)

    def of(self, kind: str, argument: str = "") -> str:
        """An expression of this type for an argument of this name."""
        if not self.tame and self.chance.random() < 0.08:
            return f"NULL::{kind}"
        if kind.endswith("[]"):
            return self.array(kind[:-2], argument)
        meant = self.meant(kind, argument)
        if meant is not None:
            return f"{quoted(meant)}::{kind}"
        if kind == "bytea":
            return self.image()
        if kind in ("text", "varchar"):
            return self.text()
        if kind in ("anyelement", "any", "record", "anycompatible"):
            return self.of(self.chance.choice(["int4", "text", "vector", "bytea"]))
        if kind in ("internal", "cstring"):
            return "NULL"
        if kind == "embedding_columns":
            return self.column()
        values = PLAIN.get(kind)
        return f"{quoted(self.chance.choice(values))}::{kind}" if values else f"NULL::{kind}"

    def meant(self, kind: str, argument: str) -> str | None:
        """By name, and for what is about a table, by the table."""
        if not self.tame and self.chance.random() < 0.25:
            return None
        table, target, of = self.place
        by_place = {"regclass": table, "name": target}.get(kind)
        by_place = of if argument in ("inputs", "expression") else by_place
        if self.tame and by_place:
            return by_place
        values = MEANT.get(argument)
        if values and kind in ("text", "varchar", "name", "json", "int4", "int8", "float8"):
            numeric = kind in ("int4", "int8", "float8")
            fits = [one for one in values if not numeric or one.replace(".", "").isdigit()]
            if fits:
                return fits[0] if self.tame and kind == "json" else self.chance.choice(fits)
        return TAME.get(kind) if self.tame else None

    def array(self, element: str, argument: str) -> str:
        """One dimension mostly; also none, several, other lower bounds, and many elements."""
        form = 1 if self.tame else self.chance.random()
        if form < 0.08:
            return f"'{{}}'::{element}[]"
        if form < 0.16:
            bounds = self.chance.choice(
                ["ARRAY[2,3], ARRAY[-1,5]", "ARRAY[2,2,1]", "ARRAY[3], ARRAY[0]", "ARRAY[0]"]
            )
            return f"array_fill({self.of(element, argument)}, {bounds})"
        if form < 0.19:
            many = "'a'::text" if element == "text" else f"NULL::{element}"
            return f"array_fill({many}, ARRAY[{HUGE}])"
        count = 2 if self.tame else self.chance.randint(1, 6)
        elements = [self.of(element, argument) for _ in range(count)]
        return f"ARRAY[{', '.join(elements)}]::{element}[]"

    def text(self) -> str:
        """The longest is made by the server: the log would be full of it."""
        if self.chance.random() < 0.05:
            return "repeat('가나다라 ', 20000)"
        return f"{quoted(TEXTS[0] if self.tame else self.chance.choice(TEXTS))}::text"

    def image(self) -> str:
        """Whole, cut, damaged, and no picture at all."""
        form = 1 if self.tame else self.chance.random()
        if form < 0.15:
            literals = ["'\\x'::bytea", "'\\x00'::bytea", "'\\xfffe80c0'::bytea"]
            return self.chance.choice([*literals, "decode(repeat('00', 1000000), 'hex')"])
        image = bytearray(self.chance.choice(self.images))
        if form < 0.4:
            image = image[: self.chance.randrange(len(image))]
        elif form < 0.6:
            for _ in range(self.chance.randint(1, 8)):
                image[self.chance.randrange(len(image))] = self.chance.randrange(256)
        return f"'\\x{image.hex()}'::bytea"

    def column(self) -> str:
        """A row of the list of columns, real, or with one part changed."""
        listed = "public.embedding_columns AS c"
        real = f"(SELECT c FROM {listed} WHERE c.tbl = '{self.place[0]}'::regclass LIMIT 1)"
        changes = [
            *('{"tbl": "0"}', '{"target": null}', '{"model": "no"}', '{"key_columns": []}'),
            *('{"input_columns": ["x"]}', '{"queue": "0"}', '{"hash_column": "a b"}'),
        ]
        change = quoted(self.chance.choice(changes))
        changed = f"(SELECT jsonb_populate_record(c, {change}) FROM {listed} LIMIT 1)"
        return real if self.tame or self.chance.random() < 0.5 else changed
