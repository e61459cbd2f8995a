"""A folder that was copied to another machine, where both run: each of the two names it, and so does who met both."""

import shutil

import pytest


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_a_copied_folder_is_named_on_both_machines(place, issuer, run, as_json):
    for name in ("hub", "ada"):
        place.member(name, issuer)
    shutil.copytree(place / "ada", place / "copy")
    hub = run("hub")
    first = run("ada", "--bootstrap", hub.bootstrap, as_json=as_json)
    hub.wait("peer-verified", name="ada")
    second = run("copy", "--bootstrap", hub.bootstrap, as_json=as_json)
    twin = hub.wait("duplicate-node", name="ada")
    if as_json:
        assert first.wait("own-key-elsewhere", name="hub")["address"] == twin["address"]
        assert second.wait("refused-by-peer", reason="duplicate-node")["name"] == "hub"
    else:
        line = wait_for(first, "this node's key is in use elsewhere")
        assert f"seen from {twin['address']} by hub" in line
        assert "a copied folder, or a stolen key" in line
        assert "a copied folder, or a stolen key" in wait_for(second, "another live node uses this node's key")


def wait_for(process, text):
    assert process.wait_until(lambda: any(text in line for line in process.lines)), process.lines
    return next(line for line in process.lines if text in line)
