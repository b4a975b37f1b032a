"""YAML to plain values: what people mean, and where each part of it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.yamlfile import Document, read_yaml
from hub.yamlsyntax import path_text


def read(folder: Path, text: str) -> Document:
    """The document of a file with this text."""
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("08:00", "08:00"),
        ("12:30", "12:30"),
        ("1:30:00", "1:30:00"),
        ("24:00", "24:00"),
        ("2026-03-02", "2026-03-02"),
        ("2026-03-02 08:30:00", "2026-03-02 08:30:00"),
        ("007", "007"),
        ("0123", "0123"),
        ("1_000", "1_000"),
        ("0", 0),
        ("-5", -5),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.2.3", "1.2.3"),
        ("192.0.2.7", "192.0.2.7"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'true'", "true"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("<<", "<<"),
        ("=", "="),
    ],
)
def test_scalars_are_what_people_mean(tmp_path: Path, written: str, meant: Any) -> None:
    """No word turns into a boolean, no clock into seconds, no date into an object."""
    document = read(tmp_path, f"key: {written}\n")
    assert document.problems == []
    assert document.values == {"key": meant}
    assert type(document.values["key"]) is type(meant)


def test_keys_are_always_text(tmp_path: Path) -> None:
    """`on`, numbers and null as keys are the words that were written."""
    document = read(tmp_path, "on: a\n1: b\nnull: c\ntrue: d\n08:00: e\n")
    assert list(document.values) == ["on", "1", "null", "true", "08:00"]


def test_every_part_has_a_place(tmp_path: Path) -> None:
    """Keys and values of mappings and lists, block and flow, know their line and column."""
    document = read(tmp_path, "ä: 1\nb:\n  - c: [x, {d: y}]\n  - z\ne: 'q'\n")
    places = {
        path_text(path): (marks.key.line, marks.key.column, marks.value.line, marks.value.column)
        for path, marks in document.marks.items()
        if path
    }
    assert places == {
        "ä": (1, 1, 1, 4),
        "b": (2, 1, 3, 3),
        "b[0]": (3, 5, 3, 5),
        "b[0].c": (3, 5, 3, 8),
        "b[0].c[0]": (3, 9, 3, 9),
        "b[0].c[1]": (3, 12, 3, 12),
        "b[0].c[1].d": (3, 13, 3, 16),
        "b[1]": (4, 5, 4, 5),
        "e": (5, 1, 5, 4),
    }


def test_an_empty_value_stands_at_its_key(tmp_path: Path) -> None:
    """There is no text to point at, so the key is pointed at."""
    marks = read(tmp_path, "a:\n  b:\n  c: 1\n").marks["a", "b"]
    assert (marks.value.line, marks.value.column) == (2, 3)


def test_merges_bring_keys_with_their_places(tmp_path: Path) -> None:
    """Own keys win over merged ones, earlier sources over later; places are those of the text."""
    document = read(
        tmp_path,
        "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\n",
    )
    assert document.problems == []
    assert document.values["c"] == {"x": 9, "y": 2, "z": 4}
    assert document.place(("c", "x")).line == 5
    assert document.place(("c", "y")).line == 1
    assert document.place(("c", "z")).line == 2


def test_a_missing_part_is_placed_at_what_encloses_it(tmp_path: Path) -> None:
    """Where there is nothing, the nearest enclosing key is the place."""
    document = read(tmp_path, "a:\n  b: 1\n")
    assert document.place(("a", "nothing", "here")).line == 1
    assert document.place(("none",)).column == 1


def test_includes_are_confined(tmp_path: Path) -> None:
    """Neither `..` nor a link leads out of the configuration's folder, and secrets stay secret."""
    folder = tmp_path / "config"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text("a: 1\n")
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "secrets.yaml").write_text("a: canary\n")
    document = read(
        folder,
        "a: !include ../outside.yaml\nb: !include link.yaml\nc: !include secrets.yaml\n"
        "d: !include /etc/passwd\n",
    )
    assert document.values == {"a": None, "b": None, "c": None, "d": None}
    assert [problem.line for problem in document.problems] == [1, 2, 3, 4]


def test_includes_reach_further_includes(tmp_path: Path) -> None:
    """A file is included relative to the one that names it; every file read is remembered."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "one.yaml").write_text("x: !include two.yaml\n")
    (tmp_path / "parts" / "two.yaml").write_text("- 1\n- 2\n")
    document = read(tmp_path, "a: !include parts/one.yaml\n")
    assert document.problems == []
    assert document.values == {"a": {"x": [1, 2]}}
    assert [file.name for file in document.files] == ["file.yaml", "one.yaml", "two.yaml"]
    assert document.place(("a", "x", 1)).file.endswith("parts/two.yaml")


def test_a_broken_include_names_the_included_file(tmp_path: Path) -> None:
    """A syntax error in an included file has that file's line and column."""
    (tmp_path / "part.yaml").write_text("a: 1\nb: [\n")
    (problem,) = read(tmp_path, "x: !include part.yaml\n").problems
    assert problem.file.endswith("part.yaml")
    assert (problem.line, problem.column) == (2, 4)


def test_a_broken_secrets_file_gives_nothing_away(tmp_path: Path) -> None:
    """What is wrong with secrets.yaml is said without what it holds."""
    (tmp_path / "secrets.yaml").write_text("a: [canary]\nb: canary\n")
    document = read(tmp_path, "x: !secret b\ny: !secret a\n")
    assert document.values["x"] == "canary"
    assert document.problems
    assert "canary" not in "".join(map(str, document.problems))


def test_a_name_cannot_reach_out_of_the_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret's name is a name, never a path."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "other").write_text("canary")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    document = read(tmp_path, "x: !secret ../other\n")
    assert document.values["x"] is None
    assert len(document.problems) == 1


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_no_text_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Any text is either values or problems with a line and a column, never a traceback."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode())
    document = read_yaml(path)
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + 3
    for problem in document.problems:
        assert 1 <= problem.line <= lines + text.count("\u2028") + text.count("\u2029")
        assert problem.column >= 1


def test_a_merge_inside_a_merge_keeps_its_places(tmp_path: Path) -> None:
    """A key that a block or a nearer source has is not placed where a farther one has it too."""
    document = read(
        tmp_path,
        "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc:\n  <<: *b\n  x: 9\n",
    )
    assert document.values["c"] == {"x": 9, "y": 3}
    assert document.place(("c", "x")).line == 5
    assert document.place(("c", "y")).line == 2


def test_included_files_are_merged(tmp_path: Path) -> None:
    """`<<: !include` takes a mapping, a folder or a list of both; own keys win, then the first."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "one.yaml").write_text("x: 1\ny: 2\n")
    (tmp_path / "parts" / "two.yaml").write_text("y: 3\nz: {<<: !include ../one.yaml, y: 4}\n")
    document = read(
        tmp_path, "base: &b {w: 0}\na:\n  <<: [!include one.yaml, !include parts, *b]\n  x: 9\n"
    )
    assert document.problems == []
    assert document.values["a"] == {"x": 9, "y": 2, "z": {"x": 1, "y": 4}, "w": 0}
    places = {key: document.place(("a", key)) for key in "xyzw"}
    assert {key: (Path(mark.file).name, mark.line) for key, mark in places.items()} == {
        "x": ("file.yaml", 4), "y": ("one.yaml", 2), "z": ("two.yaml", 2), "w": ("file.yaml", 1),
    }  # fmt: skip
    assert {file.name for file in document.files} == {"file.yaml", "one.yaml", "two.yaml"}


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (None, "cannot be read"),
        ("- 1\n", "is no mapping"),
        ("x: [\n", "is missing"),
        ("<<: !include part.yaml\n", "includes itself"),
        ("<<: !include file.yaml\n", "includes itself"),
    ],
)
def test_a_merge_that_fails_leaves_the_rest(tmp_path: Path, part: str | None, says: str) -> None:
    """What could not be merged is one problem; the block's own keys stay, and may not be all."""
    if part is not None:
        (tmp_path / "part.yaml").write_text(part)
    document = read(tmp_path, "a:\n  <<: !include part.yaml\n  own: 1\n")
    (problem,) = document.problems
    assert says in problem.message
    assert document.values == {"a": {"own": 1}}
    assert document.whole(("a",)) is (part == "- 1\n")


def test_a_list_holds_included_items(tmp_path: Path) -> None:
    """An item of a list may be a file of its own, with its own places."""
    (tmp_path / "part.yaml").write_text("\nx: 1\n")
    document = read(tmp_path, "a:\n  - !include part.yaml\n  - 2\n")
    assert document.values == {"a": [{"x": 1}, 2]}
    assert Path(document.place(("a", 0, "x")).file).name == "part.yaml"
    assert document.place(("a", 0, "x")).line == 2
    assert document.place(("a", 0)).line == 2


def test_sections_are_read_one_by_one_where_the_whole_cannot_be(tmp_path: Path) -> None:
    """Each broken section is a problem at its place; the sound ones keep theirs."""
    document = read(
        tmp_path,
        "# head\na:\n  x: 'open\nb:\n  y: 1\nc:\n  - 1\n - 2\nd: {z: &z 3}\ne: *z\nf: *nobody\n",
    )
    assert [(each.line, each.path) for each in document.problems] == [(3, "a.x"), (8, "c")]
    assert document.values == {"b": {"y": 1}, "d": {"z": 3}}
    assert document.place(("b", "y")).line == 5
    assert document.place(("d", "z"), "key").column == 5
    assert document.broken == {("a",), ("c",), ("e",), ("f",)}


def test_a_broken_section_twice_is_told_where_it_is(tmp_path: Path) -> None:
    """Line numbers stay those of the file, with Windows line ends too."""
    text = "a: {\r\nb:\r\n  x: 1\r\nc: [1\r\nd: 2\r\n"
    (tmp_path / "file.yaml").write_bytes(text.encode())
    document = read_yaml(tmp_path / "file.yaml")
    assert [each.line for each in document.problems] == [1, 4]
    assert document.values == {"b": {"x": 1}, "d": 2}
    assert document.place(("d",)).line == 5


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
def test_what_editors_take_for_no_line_end_is_none(tmp_path: Path, end: str) -> None:
    """Unicode's own line ends within a text shift no line number."""
    document = read(tmp_path, f"a: 'x{end}y'\nb: 1\nc: 2\n")
    assert document.place(("c",)).line == 3
    assert document.problems == []


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ("a: [1]\nb: x\n", [("secrets.yaml", 1, "a", "is no text")]),
        ("a:\nb: x\n", [("secrets.yaml", 1, "a", "is empty")]),
        ("a: !CANARY\nb: x\n", [("secrets.yaml", 1, "a", "is read as a tag")]),
        ("a: !CANARY two\nb: x\n", [("secrets.yaml", 1, "a", "is read as a tag")]),
        ("a: x\nb: y\na: z\n", [("secrets.yaml", 3, "a", "the same name twice")]),
        ("a: 'x\n", [("secrets.yaml", 1, "(file)", "a quote is never closed")]),
        ("- x\n", [("secrets.yaml", 1, "(file)", "has no names")]),
        ("just text\n", [("secrets.yaml", 1, "(file)", "has no names")]),
        ("[" * 3000, [("secrets.yaml", 1, "(file)", "expected")]),
        ("b: x\n", [("file.yaml", 1, "x", "no secret is named 'a'")]),
        ("", [("file.yaml", 1, "x", "no secret is named 'a'")]),
    ],
)
def test_what_is_wrong_with_secrets_is_said_once(
    tmp_path: Path, secrets: str, said: list[tuple[str, int, str, str]]
) -> None:
    """At its place in secrets.yaml, and not again wherever the secret is used."""
    (tmp_path / "secrets.yaml").write_text(secrets)
    document = read(tmp_path, "x: !secret a\ny: !secret a\n")
    told = [(Path(each.file).name, each.line, each.path) for each in document.problems]
    if said[0][0] == "secrets.yaml":
        assert told == [(name, line, path) for name, line, path, _ in said]
    assert said[0][3] in document.problems[0].message
    assert "CANARY" not in "".join(map(str, document.problems))
    assert document.values["y"] is None or said[0][3] == "the same name twice"


def test_secrets_that_cannot_be_read(tmp_path: Path) -> None:
    """Bytes that are no text are a problem of secrets.yaml, whatever they are."""
    (tmp_path / "secrets.yaml").write_bytes(b"a: \xff\xfe canary\n")
    (problem,) = read(tmp_path, "x: !secret a\n").problems
    assert problem.file.endswith("secrets.yaml")
    assert "is not UTF-8" in problem.message
    assert "canary" not in str(problem)


def test_a_folder_with_one_broken_file_keeps_the_others(tmp_path: Path) -> None:
    """What one file of a folder lacks hides nothing of its neighbours."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yaml").write_text("x: {y: 1}\n")
    (tmp_path / "parts" / "b.yaml").write_text("z: {\n")
    document = read(tmp_path, "all: !include parts\n")
    assert document.values == {"all": {"x": {"y": 1}}}
    assert not document.whole(("all",))
    assert document.whole(("all", "x"))


@pytest.mark.parametrize(
    "tagged", ["!CANARY1", "!CANARY1 two", "!!CANARY1 x", "!CANARY1 [a]", "!secretCANARY1"]
)
def test_a_private_text_that_is_read_as_a_tag_is_not_shown(tmp_path: Path, tagged: str) -> None:
    """Below a key such as `password`, however deep, no tag is repeated, and quotes are advised."""
    document = read(tmp_path, f"token:\n  gate: {tagged}\nname: !odd x\n")
    private, open_ = document.problems
    assert "CANARY1" not in str(private)
    assert "in quotes" in private.hint or "!secret" in private.hint
    assert "(!odd)" in open_.message


def test_an_open_quote_ends_where_the_next_section_begins(tmp_path: Path) -> None:
    """Even where a later quote closes it, what stands between is read as it was meant."""
    document = read(tmp_path, 'a:\n  x: "open\nb:\n  y: 1\nc:\n  z: end"\n')
    assert [(each.line, each.column, each.path) for each in document.problems] == [(2, 6, "a.x")]
    assert document.values == {"b": {"y": 1}, "c": {"z": 'end"'}}
    assert document.broken == {("a",)}


@pytest.mark.parametrize(
    "text",
    [
        'a:\n  x: "one\n    two: three\n    four"\n',
        "a:\n  x: 'it''s one\n\n    two'\n",
        'a: ["one\n  two", "b"]\n',
        "a: it's\nb: 5\"\n",
        "a: |\n  b: \"\nc: '\"'\n",
    ],
)
def test_a_quoted_text_may_have_several_lines(tmp_path: Path, text: str) -> None:
    """Lines that are further in than the one on which a quote opens belong to it."""
    assert read(tmp_path, text).problems == []


def test_a_section_that_cannot_be_seen_may_be_there(tmp_path: Path) -> None:
    """Where an unindented word stands within what is broken, any section may be missing."""
    assert () not in read(tmp_path, "a: [\nb: 1\n").partial
    assert () in read(tmp_path, "a: [\nroles\n  x: 1\nb: 1\n").partial


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("hub: &h\n  name: *h\n", (2, 9)),
        ("hub: &h {a: 1, name: *h}\n", (1, 22)),
        ("a: &l\n  - 1\n  - - 2\n    - *l\n", (4, 7)),
        ("a: &a {b: &b {c: *b}, d: *b, e: *a}\n", (1, 18)),
    ],
)
def test_an_alias_to_what_encloses_it_is_told_where_it_stands(
    tmp_path: Path, text: str, place: tuple[int, int]
) -> None:
    """Not at the anchor, at which there is nothing wrong."""
    first = read(tmp_path, text).problems[0]
    assert "encloses it" in first.message
    assert (first.line, first.column) == place


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("front:\n  name Front\n  controller: locks\n", (2, 3), "a key without a colon"),
        ("name S\ntimezone: UTC\n", (1, 1), "a key without a colon"),
        ("a:\n  - name S\n    zone: UTC\n", (2, 5), "a key without a colon"),
        ("a:\n  - b: 1\n  - name S\n    zone: UTC\n", (3, 5), "a key without a colon"),
        ("a: # of it\n  # more\n  b x\n  c y\n  d: 1\n", (3, 3), "a key without a colon"),
        ("a:\n  - door {verb: lock, doors: [a]}\n", (2, 5), "a key without a colon"),
        ("a:\n  b: long\n    text\n    c: 1\n", (4, 5), "a line indented too far"),
        ("a:\n  b: text\n    'c': 1\n", (3, 5), "a line indented too far"),
        ("a:\n  b: one: two\n", (2, 9), "a second `key: value` on one line"),
    ],
)
def test_a_colon_that_does_not_belong_is_told_where_the_slip_is(
    tmp_path: Path, text: str, place: tuple[int, int], says: str
) -> None:
    """At the key that lacks its colon, at the line that is too far in, or at the second colon."""
    (problem,) = read(tmp_path, text).problems
    assert ((problem.line, problem.column), says in problem.message) == (place, True), problem
