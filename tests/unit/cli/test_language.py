"""The program in Chinese: help, mistakes, and what stays English."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

UTF8 = {"PYTHONIOENCODING": "utf-8", "COLUMNS": "80"}
HELP = """\
用法：harbor-agent render [OPTIONS]

  打印镜像仓库的 systemd drop-in。

  这是 KubeSphere 指南中的 drop-in，即没有 Docker 设置的节点会得到的内容。使用
  --root 时，打印该目录树中会改动的每个文件的全文。

镜像仓库和登录：
  --registry HOST[:PORT]     要信任的镜像仓库（默认 http://）；可重复。
"""


def test_the_help_of_a_command_is_chinese(run: Runner) -> None:
    ran = run("render", "--help", "--lang", "zh", **UTF8)
    assert (ran.rc, ran.err) == (0, "")
    assert ran.out.startswith(HELP)
    words = " ".join(ran.out.split())
    assert "--lang <en|zh> 文字的语言。 [默认：locale 的语言]" in words
    assert "-h, --help 显示此帮助并退出。 示例： harbor-agent render" in words
    assert run("help", "render", "--lang=zh", **UTF8).out == ran.out
    assert run("--lang", "zh", "help", "render", **UTF8).out == ran.out


def test_the_locale_chooses_chinese(run: Runner) -> None:
    chinese = {"LC_ALL": "zh_CN.UTF-8", **UTF8}
    assert run("--help", **chinese).out.startswith("用法：")
    assert run("--help", "--lang", "en", **chinese).out.startswith("Usage: ")
    assert run("--help", **chinese | {"PYTHONIOENCODING": "ascii"}).out.startswith("Usage: ")


def test_every_line_of_help_is_chinese(run: Runner) -> None:
    out = run("--help", "--lang", "zh", **UTF8).out
    assert "plan 显示每个节点上的确切改动；不做改动。" in " ".join(out.split())
    assert "Commands" not in out


def test_a_mistake_is_chinese_and_its_document_is_english(run: Runner) -> None:
    ran = run("plan", "--zzz", "-o", "json", "--lang", "zh", **UTF8)
    assert ran.rc == 2
    assert ran.err == (
        "用法：harbor-agent plan [OPTIONS] COMMAND [ARGS]...\n"
        "用 'harbor-agent plan --help' 查看帮助。\n\n错误：没有选项 --zzz\n"
    )
    assert ran.document()["error"]["message"] == "No such option: --zzz"  # type: ignore[index]


def test_a_language_that_is_not_known_is_a_mistake(run: Runner) -> None:
    ran = run("plan", "--lang", "fr", **UTF8)
    assert ran.rc == 2
    assert "Invalid value for '--lang'" in ran.err


def test_a_page_is_explained_in_chinese(run: Runner) -> None:
    assert "known_hosts 中没有该节点的主机密钥" in run("explain", "host-key-unknown", "--lang", "zh", **UTF8).out


def test_files_and_documents_are_the_same_in_both_languages(run: Runner, tree: Path) -> None:
    arguments = ("plan", "--root", str(tree), "--registry", "192.168.0.99")
    rendered = ("render", "--root", str(tree), "--registry", "192.168.0.99")
    assert run(*rendered, "--lang", "zh", **UTF8).out == run(*rendered, **UTF8).out
    documents = [run(*arguments, "-o", "json", *lang, **UTF8).document() for lang in ((), ("--lang", "zh"))]
    assert documents[0] == documents[1]


PLAN = """\
{tree}  待改动  drop-in，重启
  $DOCKER_OPTS 会传给 dockerd，而没有文件设置它；在 /etc/systemd/system/docker.service.d/docker-options.conf 中设置它
  --- /dev/null
  +++ /etc/systemd/system/docker.service.d/docker-options.conf\t0644 0:0
  @@ -0,0 +1,2 @@
  +[Service]
  +Environment="DOCKER_OPTS=--insecure-registry=192.168.0.99"

计划：1 个待改动（1 个重启）
"""


def test_a_plan_is_chinese(run: Runner, tree: Path) -> None:
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99", "--lang", "zh", **UTF8)
    assert (ran.rc, ran.out, ran.err) == (0, PLAN.format(tree=tree), "")


def test_a_run_is_summed_up_in_chinese(run: Runner, tree: Path) -> None:
    ran = run("apply", "--root", str(tree), "--registry", "192.168.0.99", "--yes", "--lang", "zh", **UTF8)
    assert ran.rc == 0
    assert re.fullmatch(r"完成：1 个已改动，1 个未经拉取证明（运行 [\w-]+）", ran.out.splitlines()[-1])


def test_a_refusal_is_chinese(run: Runner, tree: Path) -> None:
    (tree / "lib/systemd/system/docker.service").unlink()
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99", "--lang", "zh", **UTF8)
    assert ran.out.splitlines() == [
        f"{tree}  已拒绝",
        "  没有 docker.service（在 systemd 的任何目录中） [unit-missing]",
        "  -> 不支持不由单元启动的 docker",
        "",
        "计划：0 个待改动，1 个已拒绝",
    ]
    assert ran.err == "详情：harbor-agent explain unit-missing\n"


def test_an_error_is_chinese(run: Runner) -> None:
    ran = run("plan", "-i", "absent.ini", "--registry", "192.168.0.99", "--lang", "zh", **UTF8)
    assert ran.rc == 2
    assert re.match(
        r"错误：没有找到清单：\S+/absent.ini \[inventory-missing\]\n  -> 若要指明主机，写 'absent.ini,'，带逗号\n",
        ran.err,
    )
