"""The end of a run is posted to a real receiver, and no receiver changes the run."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

from tests.unit.cli.receiver import receiving, write_private

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Ran, Runner

SCHEMA = Path(__file__).resolve().parents[3] / "docs/schemas/notification-2.json"
DROP_IN = Path("etc/systemd/system/docker.service.d/docker-options.conf")
TOKEN, SECRET = "canary-token-1234", "SECcanary-secret"
UNREACHABLE = "node1 ansible_host=127.0.0.1 ansible_port=1"


def check(document: dict[str, Any]) -> dict[str, Any]:
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(document)
    return document


def sign(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def apply(run: Runner, tree: Path, *more: str, **environment: str) -> Ran:
    return run("apply", "--root", str(tree), "--registry", "192.168.0.99", "--yes", "-o", "json", *more, **environment)


def warned(ran: Ran) -> list[dict[str, str]]:
    warnings: Any = ran.document()["warnings"]
    return [warning for warning in warnings if warning["code"] == "notify-failed"]


def test_a_webhook_gets_the_document_of_the_end(run: Runner, tree: Path) -> None:
    with receiving() as receiver:
        ran = apply(run, tree, "--notify", f"{receiver.url}/hook", "--note", "ticket 7")
    assert (ran.rc, warned(ran)) == (0, []), ran.err
    (posted,) = receiver.posted
    assert (posted.path, posted.kind) == ("/hook", "application/json; charset=utf-8")
    document = check(posted.body)
    assert (document["event"], document["command"], document["exit_code"]) == ("done", "apply", 0)
    assert document["run_id"] == ran.document()["run_id"]
    assert document["counts"] == {"changed": 1}
    assert (document["findings"], document["note"]) == ([], "ticket 7")
    assert document["title"] == "harbor-agent apply: done (exit code 0)"
    assert "1 changed\nnote: ticket 7\nmore: harbor-agent history show " in document["text"]


def test_each_chat_gets_its_own_message_from_the_settings(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(UNREACHABLE)
    (tmp_path / "harbor-agent.yaml").write_text(
        "notify:\n"
        "  - {url_file: slack, kind: slack}\n"
        "  - {url_env: FEISHU, kind: feishu, secret_file: secret}\n"
        "  - {url_env: DINGTALK, kind: dingtalk, secret_env: SECRET}\n"
    )
    write_private(tmp_path / "secret", f"{SECRET}\n")
    with (
        receiving() as slack,
        receiving(reply='{"code":0,"msg":"success"}') as feishu,
        receiving(reply='{"errcode":0,"errmsg":"ok"}') as dingtalk,
    ):
        write_private(tmp_path / "slack", f"{slack.url}/services/{TOKEN}\n")
        ran = run(
            *("drift", "-i", "hosts", "-o", "json"),
            FEISHU=f"{feishu.url}/open-apis/bot/v2/hook/{TOKEN}",
            DINGTALK=f"{dingtalk.url}/robot/send?access_token={TOKEN}",
            SECRET=SECRET,
            XDG_STATE_HOME=str(tmp_path),
        )
    assert (ran.rc, warned(ran)) == (4, []), ran.err
    assert "canary" not in ran.out + ran.err

    (posted,) = slack.posted
    assert posted.path == f"/services/{TOKEN}"
    assert posted.body["text"].startswith("harbor-agent drift: failed (exit code 4)\n")
    assert "\nnode1  unreachable: " in posted.body["text"]
    assert "\nmore: harbor-agent explain ssh-refused" in posted.body["text"]

    (posted,) = feishu.posted
    content = posted.body["content"]["post"]["en_us"]
    assert (posted.body["msg_type"], content["title"]) == ("post", "harbor-agent drift: failed (exit code 4)")
    assert any(line[0]["text"].startswith("node1  unreachable: ") for line in content["content"])
    stamp = posted.body["timestamp"]
    assert (len(stamp), posted.body["sign"]) == (10, sign(f"{stamp}\n{SECRET}", ""))

    (posted,) = dingtalk.posted
    assert posted.body["msgtype"] == "text"
    assert "harbor-agent drift: failed" in posted.body["text"]["content"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(posted.path).query).items()}
    stamp = query["timestamp"]
    expected = {"access_token": TOKEN, "timestamp": stamp, "sign": sign(SECRET, f"{stamp}\n{SECRET}")}
    assert (len(stamp), query) == (13, expected)


def test_a_run_that_ends_before_its_report_is_heard(run: Runner, tmp_path: Path) -> None:
    with receiving() as receiver:
        (tmp_path / "harbor-agent.yaml").write_text(f"notify: [{{url: '{receiver.url}'}}]\n")
        for command in ("drift", "verify"):
            ran = run(command, "-i", "nowhere", XDG_STATE_HOME=str(tmp_path))
            assert ran.rc == 2
    for command, posted in zip(("drift", "verify"), receiver.posted, strict=True):
        document = check(posted.body)
        assert (document["command"], document["event"], document["exit_code"]) == (command, "failed", 2)
        (finding,) = document["findings"]
        assert (finding["subject"], finding["code"]) == ("run", "inventory-missing")


def test_what_was_not_begun_is_not_sent(run: Runner, tree: Path) -> None:
    with receiving() as receiver:
        ran = run("apply", "--root", str(tree), "--registry", "h", "--notify", receiver.url)
    assert (ran.rc, receiver.posted) == (7, [])


def test_a_receiver_that_does_not_take_it_is_a_warning_and_nothing_else(
    run: Runner, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "harbor-agent.yaml").write_text("notify: [{url_file: url, kind: dingtalk}]\n")
    with receiving(reply='{"errcode":310000,"errmsg":"sign not match"}') as receiver:
        write_private(tmp_path / "url", f"{receiver.url}/robot/send?access_token={TOKEN}")
        ran = apply(run, tree)
    assert (ran.rc, len(receiver.posted)) == (0, 1)
    (warning,) = warned(ran)
    assert warning["message"].endswith("refused it: sign not match (errcode 310000)")
    assert TOKEN not in ran.out + ran.err
    assert (tree / DROP_IN).exists()


def test_a_url_with_a_token_is_refused_before_the_run_begins(run: Runner, tree: Path) -> None:
    ran = apply(run, tree, "--notify", f"https://hooks.slack.com/services/{TOKEN}")
    error: Any = ran.document()["error"]
    assert (ran.rc, error["code"], TOKEN in ran.out + ran.err) == (2, "notify-url-exposed", False)
    assert not (tree / DROP_IN).exists()
