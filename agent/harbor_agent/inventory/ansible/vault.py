"""The passwords of ansible-vault, from where Ansible takes them. Imported with Ansible's surroundings prepared."""

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
_GIVE_ONE = "give it with --vault-password-file FILE, --vault-id LABEL@FILE or --ask-vault-pass"


def open_vault(loader: Any, sources: VaultSources) -> None:  # noqa: ANN401 - Ansible has no types
    """Give `loader` every vault password that `sources`, ansible.cfg and the environment name, in Ansible's order.

    Raises UsageError for one that cannot be had: Ansible itself goes on without it, as long as there is another.
    """
    secrets: list[tuple[str, VaultSecret]] = []
    for label, source in _identities(sources):
        secrets.append((label, _secret(loader, label, source)))
        # A password file may itself be encrypted, with a password that came before.
        loader.set_vault_secrets(secrets)
    known = VaultSecretsContext.current(optional=True)
    if known is None:
        VaultSecretsContext.initialize(VaultSecretsContext(secrets))
    else:
        known.secrets = secrets


def is_asked_for(sources: VaultSources) -> bool:
    """Whether a person must type any password of `sources`, ansible.cfg or the environment."""
    return any(source == _PROMPT for _, source in _identities(sources))


def opened_with() -> list[tuple[str, Sensitive]]:
    """Return label and password of every vault password that this process has."""
    context = VaultSecretsContext.current(optional=True)
    secrets = context.secrets if context else []
    return [(label, Sensitive(secret.bytes.decode("utf-8", "surrogateescape"))) for label, secret in secrets]


def vault_failure(error: BaseException, what: str) -> UsageError | None:
    """Return what to say where `error` comes from a vault that does not open; `what` names the encrypted thing.

    What was said nearer to the cause counts: plugins put errors of their own around it.
    """
    link: BaseException | None = error
    while not _is_of_vault(link):
        if link is None or isinstance(link, UsageError):
            return link
        link = link.__cause__ or link.__context__
    if not VaultSecretsContext.current().secrets:
        message = f"{what} is encrypted with ansible-vault, and there is no password for it"
        return UsageError.of("vault-password-missing", message, _GIVE_ONE)
    labels = ", ".join(label for label, _ in VaultSecretsContext.current().secrets)
    message = f"none of the vault passwords there are ({labels}) opens {what}"
    return UsageError.of("vault-password-wrong", message, "try the password with ansible-vault view")


def _is_of_vault(error: BaseException | None) -> bool:
    # The second is what templates make of the first; Ansible keeps that class to itself.
    return isinstance(error, AnsibleVaultError) or type(error).__name__ == "UndecryptableVaultError"


def _identities(sources: VaultSources) -> Iterator[tuple[str, str]]:
    """Yield label and source of each password, as ansible.cli.CLI orders them."""
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


def _secret(loader: Any, label: str, source: str) -> VaultSecret:  # noqa: ANN401 - Ansible has no types
    if source == _PROMPT:
        return VaultSecret(_ask(label))
    try:
        secret = get_file_vault_secret(filename=source, vault_id=label, loader=loader)
        secret.load()
    except (AnsibleError, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        hint = "a password alone on a line, in a file that is not executable; or a script that prints it"
        raise UsageError.of("vault-password-unreadable", f"vault password {label}: {reason}", hint) from None
    return secret


@cache
def _ask(label: str) -> bytes:
    """Ask on the terminal, whatever the standard streams are; once a process."""
    answer = Terminal().ask(f"Vault password ({label}): ")
    if answer is None:
        message = f"there is no terminal to ask for the vault password {label} on"
        raise UsageError.of("vault-password-missing", message, "name a file with --vault-password-file instead")
    password = answer.reveal().strip()
    if not password:
        raise UsageError.of("vault-password-missing", f"no vault password {label} was entered", _GIVE_ONE)
    return password.encode("utf-8", "surrogateescape")
