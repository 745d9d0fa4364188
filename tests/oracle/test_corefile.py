"""Our parser of Corefiles reads any text as CoreDNS's own parser does, or refuses it as that one does.

HARBOR_AGENT_ORACLE_CASES is how many texts are made, HARBOR_AGENT_ORACLE_SEED which ones.
"""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.corefile.imports import FOLDER
from harbor_agent.formats.corefile.parser import parse_corefile
from harbor_agent.formats.text import FormatError
from harbor_agent.model.dns import ConfigMapState, DnsServer, ServerKind
from harbor_agent.planning.dns.plan import plan_dns
from tests.oracle.corefile import ask_parser, build_parser
from tests.unit.planning.dns.test_cases import CASES, ENTRY, apply_plan, build_server, read_case

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harbor_agent.formats.corefile.document import Corefile

pytestmark = pytest.mark.needs("corefile-parser")

COUNT = int(os.environ.get("HARBOR_AGENT_ORACLE_CASES", "300")) * 20
SEED = int(os.environ.get("HARBOR_AGENT_ORACLE_SEED", "1"))

# Whether CoreDNS notices the pattern's last backslash depends on the files in the folder; we always refuse it.
UNDECIDED = re.compile(r"import [^\t\n #]*\\(?=\s|#|\Z)")
FILES = {
    "custom/a.server": "lan:53 {\n errors\n}\n",
    "custom/b.server": "b.example {\n import ../in.conf\n}",
    "custom/c.override": "log\nhosts {\n 1.2.3.4 c\n}\n",
    "in.conf": "cache 30\nrewrite name a b",
    "empty": "# nothing\n",
}
PIECES = (
    *(" ", " ", "\n", "\n", "\n", "\t", "\r\n", "\r", "\u00a0", "\x1f", "\ufeff"),
    *("{", "}", " {\n", "\n}\n", " {", "}\n", '"', '\\"', "\\", "#", "# {", " # x\n", ",", ", "),
    *(".:53", ".", "lan:53", "tls://.", "(s)", "(t)", "(", ")", "a{$X}", "b{%X%}", "ä"),
    *("errors", "forward . /etc/resolv.conf", "hosts", "1.2.3.4 a", "fallthrough", "cache 30", "a", "b"),
    *("import", "import s", "\nimport s\n", "import t", "import custom/*.server", "\nimport custom/*.override\n"),
    *("import in.conf", "import custom/*/*", "import none/*.x", "import custom/?.server", "import [", "import empty"),
    *("\n(s) {\n errors\n log\n}\n", "\n(t) {\n import in.conf\n}\n", '"x y"', '"a\nb"', '""', '"\\a\\"b"'),
    *(
        ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n}\n",
        "lan {\n  hosts {\n    fallthrough\n  }\n}\n",
    ),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_parser(tmp_path_factory.mktemp("parser"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("etc-coredns")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def generate_texts(count: int, seed: int) -> list[str]:
    """Texts of one to a dozen pieces, about a third of which are accepted."""
    chosen = random.Random(seed)
    return ["".join(chosen.choices(PIECES, k=chosen.randint(1, 12))) for _ in range(count)]


def read_as_ours(text: str, files: Mapping[str, str]) -> Corefile | None:
    """What our parser makes of the text; None if it refuses, or if CoreDNS would not find a file."""
    try:
        found = parse_corefile(text, files)
    except FormatError:
        return None
    imports = [*found.imports, *(one for block in found.blocks for one in block.imports)]
    return None if any(one.unseen for one in imports) else found


def without_variables(text: str) -> str:
    """The text as CoreDNS reads it if no variable is set."""
    for start, end in (("{%", "%}"), ("{$", "}")):
        found = re.compile(f"{re.escape(start)}(.+?){re.escape(end)}", re.DOTALL)
        text = found.sub("", text)
    return text


def listed(found: Corefile) -> list[tuple[list[str], dict[str, list[str]]]]:
    """Our reading in the parser's shape: by directive, in which those of one name are joined, variables empty."""
    blocks = []
    for block in found.blocks:
        words: dict[str, list[str]] = {}
        for directive in block.directives:
            name, *rest = (token.text for token in directive.tokens)
            words.setdefault(without_variables(name), []).extend([name, *map(without_variables, rest)])
        blocks.append(([without_variables(key.text) for key in block.keys], words))
    return blocks


def test_any_text_is_read_as_coredns_reads_it(program: Path, folder: Path) -> None:
    texts = [text for text in generate_texts(COUNT, SEED) if not UNDECIDED.search(text)]
    files = {f"{FOLDER}/{name}": text for name, text in FILES.items()}
    answers = ask_parser(program, [(folder, text) for text in texts])
    accepted = 0
    for text, answer in zip(texts, answers, strict=True):
        found = read_as_ours(text, files)
        assert (found is None) == bool(answer.error), f"{text!r}: {answer.error or 'accepted'}"
        if found:
            accepted += 1
            assert listed(found) == answer.blocks, repr(text)
    assert accepted > COUNT // 10


@pytest.mark.parametrize("case", [path for _, path in CASES], ids=[name for name, _ in CASES])
def test_coredns_reads_every_edited_corefile(program: Path, tmp_path: Path, case: Path) -> None:
    after = apply_plan(plan_dns(build_server(read_case(case)), [ENTRY]))
    texts = [text for key, text in after.config.data.items() if key.startswith("Corefile")]
    if after.custom:
        (tmp_path / "custom").mkdir()
        for key, text in after.custom.data.items():
            (tmp_path / "custom" / key).write_text(text, encoding="utf-8")
    # k3s names the folder of the imports in full.
    here = [(tmp_path, text.replace(f"{FOLDER}/custom", f"{tmp_path}/custom")) for text in texts]
    for answer in ask_parser(program, here):
        assert not answer.error
        zones = [key for keys, directives in answer.blocks for key in keys if "hosts" in directives]
        assert zones or after == build_server(read_case(case)) or "harbor.lan:53" in str(answer.blocks)


LINES = (
    *(
        "errors",
        "log",
        "reload",
        "cache 30",
        "bind 10.0.0.1",
        "forward . /etc/resolv.conf",
        "health {\n lameduck 5s\n}",
    ),
    *("hosts {\n fallthrough\n}", "hosts /etc/coredns/h", "hosts /etc/coredns/h {\n 10.0.0.2 b.lan # x\n}", "hosts"),
    *("hosts {\n 10.0.0.2 b\n 10.0.0.3 c d\n fallthrough\n}", "hosts {\n}", "import s", "import custom/*.override"),
    *(
        'log "a\nb"',
        "# a comment",
        "",
        "\t",
        "template ANY ANY b {\n rcode NXDOMAIN\n}",
        "kubernetes cluster.local {\n}",
    ),
)
KEYS = (".:53", ".", "lan:53", "harbor.lan", "other.lan a.lan", ".:9053", "tls://.", "b.example:53, c.example")


def generate_corefiles(count: int, seed: int) -> list[str]:
    """Corefiles of one to three blocks as people write them: with other indents, comments, CRLF, or no last newline."""
    chosen = random.Random(seed)
    return [generate_corefile(chosen) for _ in range(count)]


def generate_corefile(chosen: random.Random) -> str:
    blocks = ["(s) {\n log\n}\n"] if chosen.random() < 0.7 else []
    for key in chosen.sample(KEYS, chosen.randint(1, 3)):
        indent = chosen.choice(("    ", "  ", "\t", ""))
        lines = [line.replace("\n", f"\n{indent}") for line in chosen.choices(LINES, k=chosen.randint(0, 6))]
        opening = chosen.choice((" {", " { # of the owner", "\n{", ""))
        body = "".join(f"{indent}{line}{chosen.choice(('', '', ' # x'))}\n" for line in lines)
        blocks.append(f"{key}{opening}\n{body}" + ("}\n" if opening else ""))
    blocks += chosen.choices(("", "# the end\n", "import custom/*.server\n"), k=1)
    text = "".join(blocks)
    text = text.rstrip("\n") if chosen.random() < 0.2 else text
    return text.replace("\n", "\r\n") if chosen.random() < 0.2 else text


def test_one_name_changes_and_the_way_back_is_the_same_bytes(program: Path, folder: Path) -> None:
    planned = []
    for text in generate_corefiles(COUNT // 4, SEED):
        config = ConfigMapState(namespace="kube-system", name="coredns", data={"Corefile": text}, uid="1")
        plan = plan_dns(DnsServer(kind=ServerKind.COREDNS, config=config), [ENTRY])
        if plan.changes:
            after = apply_plan(plan)
            planned.append((text, after))
            back = apply_plan(plan_dns(after, [], [ENTRY.name]))
            assert (back.config.data, back.custom) == ({"Corefile": text}, None), text
    texts = [(text, after.config.data["Corefile"]) for text, after in planned if not after.custom]
    own = [after.custom.data["harbor-agent.server"] for _, after in planned if after.custom]
    assert min(len(texts), len(own)) > COUNT // 200
    befores = ask_parser(program, [(folder, text) for text, _ in texts])
    afters = ask_parser(program, [(folder, text) for _, text in texts])
    for (text, _), before, after in zip(texts, befores, afters, strict=True):
        if before.error:  # a file that only CoreDNS sees is missing
            continue
        assert not after.error, text
        assert [without_hosts(block) for block in after.blocks] == [without_hosts(block) for block in before.blocks], (
            text
        )
    for answer in ask_parser(program, [(folder, text) for text in own]):
        assert [keys for keys, _ in answer.blocks], answer.error


def without_hosts(block: tuple[list[str], dict[str, list[str]]]) -> object:
    """A block without its hosts directive, which is where the entry goes."""
    keys, directives = block
    return keys, {name: words for name, words in directives.items() if name != "hosts"}
