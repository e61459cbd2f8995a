"""node.toml: what it may say, what is wrong with it and where, and what a change of it means."""

import itertools
import random
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from cards import Address, NodeKey
from cli.config_example import EXAMPLE
from cli.daemon import config
from cli.daemon.config import DaemonConfig, diff, values
from cli.output import Fault
from p2pnoise.config import Bootstrap, NodeConfig

NODE = NodeKey.generate(bytes).public
FILE = Path("folder/node.toml")
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)


def parse(text):
    return DaemonConfig.parse(text, FILE)


# The example


def test_the_example_parses_to_the_defaults(place):
    assert place.ok("config", "example").stdout == EXAMPLE
    assert parse(EXAMPLE) == DaemonConfig() == parse("")


def test_every_key_of_the_reader_is_in_the_example_and_none_else():
    table = tomllib.loads(WHOLE)
    assert parse(WHOLE)
    assert table.keys() == {*config.TOP, *config.TABLES}
    assert table["limits"].keys() == config.LIMITS.keys()
    assert table["log"].keys() == config.LOG.keys()
    assert table["metrics"].keys() == config.METRICS.keys()
    assert table["enrol"].keys() == set(config.ENROL)
    assert table["expose"][0].keys() == set(config.EXPOSE)
    assert table["forward"][0].keys() == set(config.FORWARD)


def test_what_an_optional_table_of_the_example_has_beside_what_it_needs_is_its_default():
    enrol = parse(WHOLE).enrol
    bare = parse('[enrol]\nlisten = "0.0.0.0:7061"\nissuer_home = "../issuer"').enrol
    assert (enrol.lifetime, enrol.renew) == (bare.lifetime, bare.renew)


def test_every_key_has_a_comment_before_it_or_before_its_neighbour():
    lines = EXAMPLE.splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?\w+ = ", line):
            assert re.match(r"# |#?\w+ = |#?\[\[?(metrics|expose|forward)\]", before), (before, line)


def test_every_limit_is_one_of_the_core_and_none_of_another_name():
    assert config.LIMITS.keys() <= {one.name for one in fields(NodeConfig)}


# Values


def test_all_that_a_file_says_is_in_force():
    found = parse(f"""
        listen = ["127.0.0.1:0", "[::1]:7060"]
        advertise = ["db-03.example:7060"]
        peers = ["{NODE}@192.0.2.1:7060", "192.0.2.2:7060"]
        accept = ["IK"]
        stop_timeout = "1m"
        limits = {{ max_links = 9, ping_interval = "30s" }}
        log = {{ format = "json", level = "warning", repeat = 5 }}
        metrics.listen = "127.0.0.1:9100"
        [enrol]
        listen = "0.0.0.0:7061"
        issuer_home = "../issuer"
        signer = "/run/signer"
        lifetime = "7d"
        renew = false
        [[expose]]
        service = "web"
        to = "127.0.0.1:80"
        groups = ["ops", "lab"]
        [[forward]]
        listen = "127.0.0.1:8080"
        to = "db-03:web"
    """)
    assert found.listen == (Address("127.0.0.1", 0), Address("::1", 7060))
    assert found.advertise == (Address("db-03.example", 7060),)
    start = (Bootstrap(Address("192.0.2.1", 7060), NODE), Bootstrap(Address("192.0.2.2", 7060)))
    assert found.node == NodeConfig(bootstrap=start, accept=("IK",), max_links=9, ping_interval=30)
    assert found.stop_timeout == 60
    assert found.log == config.Log(format="json", level="warning", repeat=5)
    assert found.metrics == config.Metrics(listen=Address("127.0.0.1", 9100))
    assert found.enrol.issuer_home == Path("folder/../issuer")
    assert found.enrol.signer == Path("/run/signer")
    assert (found.enrol.lifetime, found.enrol.renew) == (7 * 86400, False)
    assert [(one.service, one.groups) for one in found.expose] == [("web", ("ops", "lab"))]
    assert [(one.peer, one.service) for one in found.forward] == [("db-03", "web")]


def test_what_the_command_line_says_goes_before_the_file():
    found = parse(f'listen = ["127.0.0.1:1"]\nadvertise = ["a.example:1"]\npeers = ["{NODE}@b.example:1"]')
    same = found.with_options()
    assert same == found
    other, start = Address("127.0.0.1", 2), Bootstrap(Address("127.0.0.1", 3))
    mixed = found.with_options(listen=(other,), advertise=(other,), peers=(start,), as_json=True)
    assert (mixed.listen, mixed.advertise, mixed.node.bootstrap) == ((other,), (other,), (start,))
    assert mixed.log.format == "json"


# What is wrong, each with its place

WRONG = {
    "no TOML": ("listen = [", "line 1, column 11"),
    "a key twice": ("stop_timeout = 1\nstop_timeout = 2", "line 2, column 17"),
    "a table twice": ("[log]\n[limits]\n[log]", "line 3, column 5"),
    "an unknown key": ('\n\nlissen = ["127.0.0.1:1"]', "line 3, column 1: the configuration has an unknown key "),
    "the nearest of it": ('lissen = ["127.0.0.1:1"]', "did you mean 'listen'?"),
    "an unknown limit": ("[limits]\nmax_lynx = 3", "line 2, column 1: limits has an unknown key 'max_lynx'; did you"),
    "an unknown key of a service": (
        '[[expose]]\nservice = "a"\nto = "1"\ngroups = ["*"]\n[[expose]]\nsevice = "b"',
        "line 6, column 1: expose has an unknown key 'sevice'; did you mean 'service'?",
    ),
    "an unknown table": ("[logs]", "line 1, column 2"),
    "a table that is text": ('limits = "many"', "line 1, column 1: limits is no table"),
    "a text that is a table": ("[[listen]]", "line 1, column 3: listen holds {}, text expected"),
    "a number for an array": ("listen = 7060", "line 1, column 1: listen is no array"),
    "too many addresses": (f"listen = {['127.0.0.1:0'] * 9}", "listen is no array of at most 8"),
    "too many peers": (f"peers = {['a.example:1'] * 1001}", "peers is no array of at most 1000"),
    "a bad address": ('listen = [\n  "127.0.0.1:1",\n  "nowhere",\n]', "line 3, column 3: listen: 'nowhere'"),
    "an address twice": ('listen = ["127.0.0.1:1", "127.0.0.1:1"]', "line 1, column 26: listen names 127.0.0.1:1 twi"),
    "port 0 for others": ('advertise = ["a.example:0"]', "line 1, column 14: advertise: 'a.example:0'"),
    "a mistyped Node ID": (f'peers = ["{NODE}@a.example:1"]'.replace("node1", "node1q"), "line 1, column 10: peers: "),
    "no pattern": ("accept = []", "line 1, column 1: accept is empty"),
    "a pattern of another name": ('accept = ["NN"]', "line 1, column 11: accept is 'NN', one of XX, IK expected"),
    "truth for a number": ("[limits]\nmax_links = true", "line 2, column 1: limits.max_links is True, a number from 1"),
    "a number out of range": ("[limits]\nmax_links = 0", "limits.max_links is 0, a number from 1 to 10000 expected"),
    "a fraction": ("[limits]\nmax_links = 1.5", "limits.max_links is 1.5, a number"),
    "a time out of range": ('[limits]\nping_interval = "2h"', "limits.ping_interval is '2h', seconds from 1 to 3600"),
    "a time that is none": ('stop_timeout = "soon"', "line 1, column 1: stop_timeout is 'soon', seconds from 1 to 600"),
    "a window below the first": ("[limits]\nstream_window = 65536", "from 262144 to"),
    "more links wanted than allowed": ("[limits]\nmax_links = 5", "line 2, column 1: limits.target_links is 8, more"),
    "a word of a log": ('[log]\nformat = "xml"', "line 2, column 1: log.format is 'xml', one of text, json expected"),
    "no address of metrics": ("[metrics]", "line 1, column 2: metrics needs listen"),
    "an address of metrics": ('metrics.listen = "nowhere"', "line 1, column 1: metrics.listen: 'nowhere'"),
    "no issuer": ('[enrol]\nlisten = "127.0.0.1:1"', "line 1, column 2: enrol needs issuer_home"),
    "no path": (
        '[enrol]\nlisten = "127.0.0.1:1"\nissuer_home = "~nobody-here/x"',
        "line 3, column 1: enrol.issuer_hom",
    ),
    "a NUL in a path": ('[enrol]\nlisten = "127.0.0.1:1"\nissuer_home = "a\\u0000"', "line 3, column 1: enrol.issuer_"),
    "text for a truth": ('[enrol]\nlisten = "127.0.0.1:1"\nissuer_home = "a"\nrenew = "yes"', "line 4, column 1: "),
    "a service for nobody": ('[[expose]]\nservice = "a"\nto = "1"\ngroups = []', "line 1, column 3: expose: 'a' is e"),
    "a service without groups": ('[[expose]]\nservice = "a"\nto = "1"', "line 1, column 3: expose needs groups"),
    "a service twice": (
        '[[expose]]\nservice = "a"\nto = "1"\ngroups = ["*"]\n' * 2,
        "line 5, column 3: expose has a twice",
    ),
    "a service that is a table": ("[[expose]]\nservice = {}\nto = 1\ngroups = []", "line 2, column 1: expose.service"),
    "services that are one": ("[expose]", "line 1, column 2: expose is no array"),
    "a forward to nowhere": (
        '[[forward]]\nlisten = "1"\nto = "bob"',
        "line 1, column 3: forward: 'bob' is not PEER:SER",
    ),
    "one listener twice": (
        '[[forward]]\nlisten = "80"\nto = "bob:web"\n' * 2,
        "line 4, column 3: forward has 127.0.0.",
    ),
    "too deep": ("listen = " + "[" * 5_000, "not TOML"),
    "a number without end": ("stop_timeout = " + "9" * 5_000, "not TOML"),
    "a terminal's command": ('"\\u001b[2J" = 1', "has an unknown key '\\x1b[2J'"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_place(text, says):
    with pytest.raises(Fault) as raised:
        parse(text)
    assert str(raised.value).startswith("folder/node.toml: ")
    assert says in str(raised.value)
    assert raised.value.code == 3
    assert raised.value.hint


@pytest.mark.parametrize("seed", range(3))
def test_whatever_becomes_of_a_file_is_a_configuration_or_a_fault(seed):
    rng, read, faults = random.Random(seed), 0, []
    pieces = re.findall(r"\w+|\s|[^\w\s]", WHOLE)
    for _ in range(700):
        changed = list(pieces)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(changed))
            changed[at : at + rng.randint(0, 2)] = rng.choices(pieces, k=rng.randint(0, 2))
        try:
            parse("".join(changed))
            read += 1
        except Fault as fault:
            faults.append(str(fault))
    assert 50 < read < 650
    assert [fault for fault in faults if ": line " not in fault and "(at line " not in fault] == []


@pytest.mark.parametrize("key", [*config.TOP, *(f"limits.{key}" for key in config.LIMITS)])
@pytest.mark.parametrize("value", ["true", "-1", "nan", '""', "[[]]", "{}", "1979-05-27", '["", 1]'])
def test_every_key_refuses_every_value_of_another_kind(key, value):
    with pytest.raises(Fault, match=rf"line 1, column \d+: {key}"):
        parse(f"{key} = {value}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (b"# " + b"x" * 1024 * 1024, "more than 65536 bytes"),
        (b"\x1b[2J", "not TOML"),
        (b"a = 1\x00", "not TOML"),
    ],
)
def test_a_file_that_is_none_is_refused(place, content, says):
    (place / "node.toml").write_bytes(content)
    place.refuses("config", "check", place / "node.toml", says=says, code=3)


def test_an_empty_file_says_nothing(place):
    (place / "node.toml").write_bytes(b"")
    assert DaemonConfig.read(place / "node.toml") == DaemonConfig()


def test_metrics_without_what_they_need_say_what_to_install(monkeypatch):
    monkeypatch.setattr(config, "find_spec", lambda _: None)
    with pytest.raises(Fault, match=r'line 1, column 2: .*pip install "p2pnoise\[metrics\]"'):
        parse('[metrics]\nlisten = "127.0.0.1:9100"')


# What a change means


def test_nothing_changed_is_nothing_to_do():
    assert diff(parse(WHOLE), parse(WHOLE)) == ((), ())


def test_what_can_be_in_force_at_once_and_what_needs_a_restart_are_told_apart():
    hot, restart = diff(DaemonConfig(), parse(WHOLE))
    assert set(restart) == {"metrics.listen", *(f"enrol.{key}" for key in config.ENROL)}
    assert set(hot) == {"expose", "forward"}
    assert [set(names) for names in diff(parse(WHOLE), DaemonConfig())] == [set(hot), set(restart)]


@pytest.mark.parametrize(
    ("text", "hot", "restart"),
    [
        ('listen = ["127.0.0.1:1"]', (), ("listen",)),
        ('peers = ["a.example:1"]', ("peers",), ()),
        ("limits.max_links = 9", ("limits.max_links",), ()),
        ('log.level = "warning"\nadvertise = ["a.example:1"]', ("advertise", "log.level"), ()),
    ],
)
def test_a_change_is_named_by_its_key(text, hot, restart):
    assert diff(DaemonConfig(), parse(text)) == (hot, restart)


def test_every_field_of_a_configuration_has_a_value_by_which_a_change_is_seen():
    found = values(parse(WHOLE))
    assert {key.partition(".")[0] for key in found} == {*config.TOP, *config.TABLES}


# The verb


def test_check_says_what_would_be_in_force(place):
    (place / "some.toml").write_text("limits.max_links = 9\n")
    answer = place.json("config", "check", place / "some.toml")
    assert answer["ok"]
    assert answer["values"]["limits.max_links"] == 9
    assert answer["values"]["listen"] == ["127.0.0.1:7060"]
    lines = place.ok("config", "check", place / "some.toml").stdout.splitlines()
    assert [line.split() for line in lines if "max_links" in line] == [["limits.max_links", "9"]]
    assert sum(line.endswith("  (default)") for line in lines) == len(lines) - 1


def test_check_looks_at_the_file_of_the_folder_and_does_without(place):
    assert place.json("config", "check")["file"] is None
    place.node.mkdir()
    (place.node / "node.toml").write_text('log.format = "json"')
    assert place.json("config", "check")["values"]["log.format"] == "json"


@pytest.mark.parametrize("name", ["gone.toml", "."])
def test_check_names_a_file_that_cannot_be_read(place, name):
    place.refuses("config", "check", place / name, says=str(place / name), code=1)
