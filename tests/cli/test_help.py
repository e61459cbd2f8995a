"""Help: every verb explains itself with an example and answers programs with --json."""

import click
import pytest
from click.testing import CliRunner

from cli.main import VERBS, root


def _verbs(command, path=()):
    if not isinstance(command, click.Group):
        yield path
        return
    with click.Context(command) as context:
        for name in command.list_commands(context):
            yield from _verbs(command.get_command(context, name), (*path, name))


ALL = list(_verbs(root))
CARD_VERBS = [path for path in ALL if path[0] in ("id", "card", "issuer", "revoke")]


def test_the_verbs_are_there():
    assert {" ".join(path) for path in CARD_VERBS} == {
        "id new", "id show", "id fingerprint", "id rotate",
        "issuer new", "issuer delegate", "issuer import", "issuer list", "issuer retire",
        "issuer manifest", "issuer sign",
        "card request", "card new", "card renew", "card issue", "card install", "card show", "card verify",
        "card diff", "card export", "card import",
        "revoke add", "revoke list", "revoke publish", "revoke self",
    }  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_verb_has_help_with_an_example(path):
    text = CliRunner().invoke(root, [*path, "--help"]).output
    assert f"p2pnoise {' '.join(path)}" in text.split("Example", 1)[1]


@pytest.mark.parametrize("path", CARD_VERBS, ids=" ".join)
def test_every_verb_speaks_json(path):
    assert "--json" in CliRunner().invoke(root, [*path, "--help"]).output


def test_the_overview_names_every_verb_and_its_purpose():
    text = CliRunner().invoke(root, ["--help"]).output
    assert all(name in text and line in text for name, (_, line) in VERBS.items())


def test_a_noun_alone_shows_its_verbs_and_is_a_usage_error():
    result = CliRunner().invoke(root, ["card"])
    assert result.exit_code == 2
    assert "install" in result.stderr


@pytest.mark.parametrize(
    ("args", "sentence", "fix"),
    [
        (["cart"], "no such command 'cart'", "did you mean p2pnoise card?"),
        (["card", "isue"], "no such command 'isue'", "did you mean 'issue'?"),
        (["card", "show", "--quick"], "no such option '--quick'", "p2pnoise card show --help"),
        (["card", "issue"], "missing argument 'REQUEST'", "p2pnoise card issue --help"),
    ],
)
def test_a_wrong_command_line_says_what_was_meant(args, sentence, fix):
    result = CliRunner().invoke(root, args)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [sentence, f"fix: {fix}"]
