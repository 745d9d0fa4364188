"""Units, drop-ins and environment files that nobody thought of, close enough to real ones to matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.oracle.case import DIRECTORY, FOLDER, LINK, NAMES, ONESHOT, PREFIX_LEVEL, UNIT, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

Pieces = tuple[str, ...]

DIRECTORIES = (
    "/etc/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/etc/systemd/system.attached",
    "/run/systemd/system.attached",
)
DROP_IN_NAMES = (
    "10-a.conf", "docker-options.conf", "z.conf", "Z.conf", "a-b.conf", "10-a.conf.bak", ".b.conf", "é.conf",
    "zz.conf~",
)  # fmt: skip
names = st.sampled_from((*NAMES, "DOCKER_OPTS", "A"))
value_pieces = st.sampled_from(
    ["1", "1", "--a", "--a", "--b=c", "--b=c", "--c d", " ", " ", " ",
     "\t", "\\\n", " \\\n  ", "\\ \n", "\\\r\n", "%%", "%n", "%p", "%P", "%j", "%Z",
     "50%-f", "%", "$A", "${B}", "$$", "'", '"', "\\x7a", "\\172", "\\s", "\\d", "\\\\", '\\"', "\\u00e9", "é", "=",
     "# c", "; d", "\n# c\n", "\\\n# c\n", "\x01", "\xff", "\xc3\xa9", "\\\n\\\n", "\r"]
)  # fmt: skip
values = st.lists(value_pieces, min_size=1, max_size=5).map(tuple)


@st.composite
def environment_words(draw: st.DrawFn) -> Pieces:
    before, after = draw(
        st.sampled_from(
            [
                ("", ""),
                ('"', '"'),
                ("'", "'"),
                ("", ""),
                ('"', '"'),
                ("'", "'"),
                ('"', ""),
                ("", '"'),
                ("x", ""),
                ('""', ""),
            ]
        )
    )
    glue = draw(st.sampled_from(["=", "=", "=", "=", "=", '="', "", " ="]))
    return (before, draw(names) + glue, *draw(values), '"' if glue == '="' else "", after)


def setting(name: str, parts: st.SearchStrategy[Pieces]) -> st.SearchStrategy[Pieces]:
    equals = st.sampled_from(["=", "=", "=", " = ", "=  ", "\t=\\\n "])
    ends = st.sampled_from(["\n", "\n", "\n", " \n", "\r\n", "\n\n", "\r", "\\\n"])
    leads = st.sampled_from(["", "", "", " ", "\t"])
    return st.builds(lambda lead, equals, parts, end: (lead, name, equals, *parts, end), leads, equals, parts, ends)


def joined(parts: st.SearchStrategy[Pieces], most: int) -> st.SearchStrategy[Pieces]:
    def join(found: list[Pieces]) -> Pieces:
        return tuple(piece for index, one in enumerate(found) for piece in ((" ", *one) if index else one))

    return st.lists(parts, max_size=most).map(join)


argument_words = st.sampled_from(
    ["--x", "-H", "fd://", "$A", "${A}", '"$A"', "'$B'", "$DOCKER_OPTS", "$DOCKER_OPTS", "${DOCKER_OPTS}", "a$A",
     "a${B}b", "$$A", "$", "${}", "${A", "$A-", "${A:-x}", "${A:+y}", "$1", "$_x1", "$$", "$$$A", "%n", "%%", "%Z",
     "50%-", '"q r"', "'p", 'a"b c"d', "\\x41", "\\d", "\\", "\\\n", " \\\n   ", ";", "\\;", "é", "\xff", "--config=%p",
     "${A}${B}", "{A}", "$A$B", "\\$A", "'", "\\s", "${_x1}", "$é"]
).map(lambda word: (word,))  # fmt: skip
programs = st.sampled_from(
    [f"{FOLDER}/dockerd"] * 8
    + [f"{FOLDER}/dockerd-latest", f'"{FOLDER}/dockerd"', f"/c/%p/../{FOLDER[3:]}/dockerd", f"/c//{FOLDER[3:]}/dockerd",
       "dockerd", f"{FOLDER}/missing", f"{FOLDER}/dockerd/", f"{FOLDER}/docker\\x64", "$A"]
)  # fmt: skip
prefixes = st.sampled_from([""] * 8 + ["-", ":", "@", "+", "!", "!!", "-:", "@-", ":@", "- ", "|"])
commands = st.builds(
    lambda prefix, program, words: (prefix + program, *((" ", *words) if words else ())),
    prefixes,
    programs,
    joined(argument_words, 4),
)
environment_paths = st.sampled_from(
    [f"{FOLDER}/1.env", f"{FOLDER}/1.env", f"-{FOLDER}/2.env", f"-{FOLDER}/2.env", f"{FOLDER}/*.env",
     f"-{FOLDER}/[12].env", f"-{FOLDER}/none", f"{FOLDER}/none", "1.env", f'"{FOLDER}/1.env"',
     f"-{FOLDER}/../{FOLDER[3:]}/2.env",
     f"{FOLDER}/no*", f"-{FOLDER}/%%.env", f"--{FOLDER}/1.env", f"- {FOLDER}/1.env",
     f"-{FOLDER}/2.env {FOLDER}/1.env", f"{FOLDER}/%Z"]
).map(lambda path: (path,))  # fmt: skip
unset_words = st.sampled_from(["A", "B=1", "DOCKER_OPTS", "A=--a", '"_x1"', "'B", "A=%p", "1", "A=1", "%Z"]).map(
    lambda w: (w,)
)

settings_lines = st.one_of(
    setting("Environment", joined(environment_words(), 3)),
    setting("Environment", joined(environment_words(), 2)),
    setting("Environment", joined(environment_words(), 1)),
    setting("EnvironmentFile", environment_paths),
    st.builds(lambda one: ("ExecStart=\n", *one), setting("ExecStart", commands)),
    setting("UnsetEnvironment", joined(unset_words, 2)),
    st.sampled_from(["Environment", "EnvironmentFile", "UnsetEnvironment"]).flatmap(
        lambda name: setting(name, st.just(()))
    ),
)
command_lines = setting("ExecStart", commands) | setting("ExecStart", st.just(()))
noise = st.sampled_from(
    ["[Service]\n", "[Service]\n", "[Unit]\n", "[X-a]\n", "[service]\n", " [Service] \n", "[Service\n", "[]\n", "# c\n",
     "; d \\\n", "# c \\\n", "A=1\n", "junk\n", "=\n", "=x\n", "\n", "\r\n", "\\\n", "\\", "\xef\xbb\xbf", "\x0c",
     "environment=A=9\n", "Environment\n", "ExecStartPre=-/bin/true\n", "KillMode=process\n", ".include /x\n"]
).map(lambda piece: (piece,))  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> Pieces:
    kind = draw(st.integers(0, 99))
    return draw(command_lines if kind == 99 else noise if kind > 75 else settings_lines)


unit_texts = st.lists(lines(), min_size=1, max_size=5)


def flat(found: Sequence[Pieces]) -> Pieces:
    return tuple(piece for one in found for piece in one if piece)


def bodies(head: str) -> st.SearchStrategy[Pieces]:
    return unit_texts.map(lambda found: (head, *flat(found)))


links = st.sampled_from(["/dev/null", "/dev/null", "/dev/null", "/c/none"]).map(lambda target: (LINK + target,))


@st.composite
def fragments(draw: st.DrawFn) -> Pieces:
    kind = draw(st.integers(0, 49))
    if kind == 49:
        return draw(links | st.just(("",)) | bodies(""))
    if kind == 48:
        return draw(bodies("[Service]\n"))
    start = f"ExecStart={FOLDER}/dockerd"
    if kind > 35:
        return draw(
            bodies(f"[Unit]\nDescription=x\n\n[Service]\nEnvironmentFile=-{FOLDER}/2.env\n{start} -H fd:// $A\n")
        )
    return draw(bodies(f"[Service]\n{start} $DOCKER_OPTS\n"))


@st.composite
def drop_ins(draw: st.DrawFn) -> Pieces:
    kind = draw(st.integers(0, 19))
    if kind == 19:
        return draw(links | st.just(("",)) | st.just((DIRECTORY,)) | bodies(""))
    return draw(bodies("[Service]\n"))


environment_pieces = st.sampled_from(
    ["A=1", "B=--b c", 'A="x y"', "B='p q'", '"', "'", "\\\n", "\\ \n", "\\\r\n", "\n", "\n", "\r\n", " ", "\t",
     "# c\n", "# c\\\n", "; d\n", "A = e", '\nDOCKER_OPTS="', "\nDOCKER_OPTS='--a \\\n--b'\n", "\nDOCKER_OPTS=",
     "export A=1\n",
     "\\x41", "\\d", '\\"', "\\\\", "é", "A", "--log-opt", "\r", "\n_x1=a", 'z"q"', '"a" b', "$A", "${B}", "%p", "%%",
     "`", "\\$", "\xff", "\x01", "1=2\n", "=x\n", "A=\n", "B=''\n", " # no comment",
     "\xef\xbb\xbf", "\x0c"]
)  # fmt: skip


@st.composite
def environment_files(draw: st.DrawFn) -> Pieces:
    kind = draw(st.integers(0, 19))
    if kind == 19:
        return draw(links | st.just(("",)) | st.just((DIRECTORY,)))
    return tuple(draw(st.lists(environment_pieces, min_size=1, max_size=8)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    files: dict[str, Pieces] = {}
    for directory in draw(
        st.sampled_from([DIRECTORIES[:1], DIRECTORIES[1:2], DIRECTORIES[2:3], DIRECTORIES[:2], DIRECTORIES[3:6]])
    ):
        files[f"{directory}/{UNIT}"] = draw(fragments())
    folders = [f"{directory}/{level}.d" for directory in DIRECTORIES for level in (UNIT, UNIT, PREFIX_LEVEL)]
    for folder in draw(st.lists(st.sampled_from(folders), max_size=3)):
        files[f"{folder}/{draw(st.sampled_from(DROP_IN_NAMES))}"] = draw(drop_ins())
    for name in draw(st.sets(st.sampled_from(["1.env", "2.env"]))):
        files[f"{FOLDER}/{name}"] = draw(environment_files())
    return Case((*sorted((path, pieces or ("",)) for path, pieces in files.items()), ONESHOT))


def generated(count: int, number: int) -> list[Case]:
    """Return `count` cases, the same ones for the same number."""
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found
