"""The passwords of ansible-vault, from the same places and in the same order as Ansible's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError, VaultSecret, VaultSecretsContext, get_file_vault_secret

from harbor_agent.errors import UsageError
from harbor_agent.local.terminal import Terminal
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.inventory import VaultSources

_PROMPT = "prompt"
_OPTIONS_HINT = "pass it with --vault-password-file FILE, --vault-id LABEL@FILE or --ask-vault-pass"


def open_vaults(loader: Any, sources: VaultSources) -> None:  # noqa: ANN401 - Ansible has no types
    """Give `loader` every vault password that `sources`, ansible.cfg and the environment name.

    Raises UsageError for a password that cannot be read: Ansible itself ignores that if there is another password.
    """
    secrets: list[tuple[str, VaultSecret]] = []
    for label, source in _iterate_identities(sources):
        secrets.append((label, _read_secret(loader, label, source)))
        # A password file may itself be encrypted, with a password from an earlier source.
        loader.set_vault_secrets(secrets)
    known = VaultSecretsContext.current(optional=True)
    if known is None:
        VaultSecretsContext.initialize(VaultSecretsContext(secrets))
    else:
        known.secrets = secrets


def requires_prompt(sources: VaultSources) -> bool:
    """Whether `sources`, ansible.cfg or the environment require the user to type a vault password."""
    return any(source == _PROMPT for _, source in _iterate_identities(sources))


def known_passwords() -> list[tuple[str, Sensitive]]:
    """Return label and password of every vault password that `open_vaults` has read in this process."""
    context = VaultSecretsContext.current(optional=True)
    secrets = context.secrets if context else []
    return [(label, Sensitive(secret.bytes.decode("utf-8", "surrogateescape"))) for label, secret in secrets]


def explain_vault_failure(error: BaseException, what: str) -> UsageError | None:
    """Return the error to report if `error` was caused by a vault that cannot be decrypted; `what` is encrypted.

    A UsageError in the chain of causes is returned as it is: plugins wrap it in errors of their own.
    """
    link: BaseException | None = error
    while not _is_vault_error(link):
        if link is None or isinstance(link, UsageError):
            return link
        link = link.__cause__ or link.__context__
    if not VaultSecretsContext.current().secrets:
        message = f"{what} is encrypted with ansible-vault, and no vault password was given"
        return UsageError.of("vault-password-missing", message, _OPTIONS_HINT)
    labels = ", ".join(label for label, _ in VaultSecretsContext.current().secrets)
    message = f"cannot decrypt {what} with any of the vault passwords ({labels})"
    return UsageError.of("vault-password-wrong", message, "test the password with: ansible-vault view FILE")


def _is_vault_error(error: BaseException | None) -> bool:
    # Templates turn the first into the second, a private class of Ansible's.
    return isinstance(error, AnsibleVaultError) or type(error).__name__ == "UndecryptableVaultError"


def _iterate_identities(sources: VaultSources) -> Iterator[tuple[str, str]]:
    """Yield label and source of each password in the order of ansible.cli.CLI."""
    default = constants.DEFAULT_VAULT_IDENTITY
    for text in (*constants.DEFAULT_VAULT_IDENTITY_LIST, *sources.ids):
        label, separator, source = str(text).partition("@")
        yield (label or default, source) if separator else (default, label)
    for file in sources.password_files:
        yield default, file
    if constants.DEFAULT_VAULT_PASSWORD_FILE:
        yield default, str(constants.DEFAULT_VAULT_PASSWORD_FILE)
    if sources.ask or constants.DEFAULT_ASK_VAULT_PASS:
        yield default, _PROMPT


def _read_secret(loader: Any, label: str, source: str) -> VaultSecret:  # noqa: ANN401 - Ansible has no types
    if source == _PROMPT:
        return VaultSecret(_prompt_for_password(label))
    try:
        secret = get_file_vault_secret(filename=source, vault_id=label, loader=loader)
        secret.load()
    except (AnsibleError, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        hint = "use a file that is not executable, with the password on one line, or a script that prints the password"
        raise UsageError.of("vault-password-unreadable", f"vault password {label}: {reason}", hint) from None
    return secret


@cache
def _prompt_for_password(label: str) -> bytes:
    """Prompt on the controlling terminal, even if the standard streams are redirected; once per process."""
    answer = Terminal().ask(f"Vault password ({label}): ")
    if answer is None:
        message = f"cannot prompt for the vault password {label}: no terminal"
        raise UsageError.of("vault-password-missing", message, "use --vault-password-file instead")
    password = answer.reveal().strip()
    if not password:
        raise UsageError.of("vault-password-missing", f"no vault password {label} was entered", _OPTIONS_HINT)
    return password.encode("utf-8", "surrogateescape")
