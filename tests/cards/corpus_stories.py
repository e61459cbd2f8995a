"""The cases of the hostile corpus that need state: what is known, told in steps, before a card is judged."""

import cards
from cards.findings import CODES
from cards.limits import Limits
from tests.cards import test_conflicts as conflicts
from tests.cards import test_hostile_signatures as signatures
from tests.cards import test_hostile_trust as trust
from tests.cards.corpus_world import DAY, LISTS, WORLD, YEAR, add, by, mark, pin, policy, verify
from tests.cards.test_endings import commitment


def stateful(corpus):
    w, card = WORLD, WORLD.card
    for name, make, state, expected, exit_ in trust.CASES:
        if state:
            steps, options = [], {}
            for key, value in state.items():
                if key == "facts":
                    steps += [add(fact) for fact in value(w)]
                elif key == "mark":
                    steps.append(mark(*value(w)[:2]))
                elif key == "peer_static":
                    options["static"] = value(w).hex()
            code = next(code for code in expected if CODES[code].exit == exit_)
            codes = [code for code in expected if code != "unknown-issuer"]
            corpus.add(
                f"trust {name}",
                code,
                steps=[*(steps if "facts" in state else [*LISTS, *steps]), verify(make(w), **options)],
                codes=codes,
                now=w.now,
            )
    story = corpus.story
    lists(story, w)
    delegations(story, w)
    rules(story, w)
    endings(story, w)
    proofs(story, w, card)
    manifests(story, w)
    clocks(corpus, w)


def lists(story, w):
    gone = w.make_list(sequence=2, entries=[w.entry(w.identity.public, until=w.now + YEAR)])
    story("list with a lower number", "rollback", add(gone), add(w.make_list(entries=[w.entry(bytes(32))])))
    twin = w.make_list(entries=[w.entry(bytes(32))])
    story("two lists of one number", "issuer-equivocation", add(twin))
    story("list of a stranger", "unknown-issuer", add(w.make_list(w.mallory_issuer)))
    story("list from the future", "not-yet-valid", add(w.make_list(sequence=2, now=w.now + 301)))
    offline = w.make_list(sequence=2, lifetime=31 * DAY)
    story("list whose next is due later than the policy takes", "list-lifetime", add(offline))
    story("accepted list of an issuer that stays offline", None, add(offline), policy=policy(list_lifetime=31 * DAY))
    story("a later list that leaves an entry out", "revoked", add(gone), add(w.make_list(sequence=3)), verify(w.raw))
    granted = w.make_list(sequence=2, entries=[w.entry(w.card.card_id)])
    story("a revoked card granted again", "revoked", add(granted), verify(w.grant(w.card, serial=2)))
    story(
        "accepted another identity is revoked",
        None,
        add(w.make_list(sequence=2, entries=[w.entry(w.mallory.public)])),
        verify(w.raw),
    )
    stolen = signatures.mallory_claims_our_node(w, b"")
    story("our node claimed without node signature leaves us alone", None, mark(7, w.card.card_id), verify(w.raw))
    story("our node claimed after us", "unproven", verify(w.raw, accept=True), verify(stolen))


def delegations(story, w):
    site, gate, desk, last = (cards.IssuerKey(name.ljust(32).encode()) for name in ("site", "gate", "desk", "last"))
    lent = w.delegation(site, path=2)
    story("accepted a delegate's grant", None, add(lent), verify(by(site)))
    limits = {
        "name": {"name": ["*.dc7.example"]},
        "group": {"grp": ["db"]},
        "lifetime": {"ttl": DAY},
        "end": {"exp": w.now + DAY},
        "beginning": {"nbf": w.now - 99},
    }
    for name, changes in limits.items():
        story(f"delegate beyond its {name}", "issuer-constraint", add(w.delegation(site, **changes)), verify(by(site)))
    evil = w.make_card(name="evil-dc7.example")
    raw = w.envelope(evil.body, grants=[w.app(evil.body, issuer=site)])
    story(
        "evil-dc7.example against a pattern",
        "issuer-constraint",
        add(w.delegation(site, **limits["name"])),
        verify(raw),
    )
    chain = [lent, w.delegation(gate, site, path=1), w.delegation(desk, gate)]
    story("accepted a chain of three", None, *map(add, chain), verify(by(desk)))
    story("a fourth step", "chain-too-long", *map(add, chain), add(w.delegation(last, desk)))
    story("a delegate of path 0 delegates", "chain-too-long", add(w.delegation(site)), add(w.delegation(gate, site)))
    story("a circle of delegations", "chain-too-long", *map(add, chain[:2]), add(w.delegation(site, gate)))
    story("delegation of a stranger", "unknown-issuer", add(w.delegation(site, w.mallory_issuer)))
    out = w.make_list(sequence=2, entries=[w.entry(site.public)])
    story("delegate revoked by the root", "revoked", add(lent), add(out), verify(by(site)))
    story("delegate of a revoked delegate", "revoked", *map(add, chain[:2]), add(out), verify(by(gate)))
    story(
        "delegate of a retired delegate", "threshold", *map(add, chain[:2]), add(w.retirement(site)), verify(by(gate))
    )
    both = w.envelope(w.card.body, grants=[w.app(w.card.body, issuer=site), w.app(w.card.body, issuer=gate)])
    twice = [add(lent), add(w.delegation(gate))]
    story("two delegates of one root", "threshold", *twice, verify(both), policy=policy(app=(cards.Rule(2),)))
    narrow = policy(limits={"ops-a": Limits(groups=("db",))})
    story("issuer beyond what the policy lets it", "issuer-constraint", verify(w.raw), policy=narrow)


def rules(story, w):
    two = policy(app=(cards.Rule(2),))
    story("one of two issuers", "threshold", verify(w.raw), policy=two)
    story(
        "one issuer twice",
        "threshold",
        verify(w.envelope(w.card.body, grants=[w.app(w.card.body, sn=n) for n in (1, 2)])),
        policy=two,
    )
    story("accepted two of two issuers", None, verify(w.grant(w.card, w.second)), policy=two)
    each = policy(app=(cards.Rule(1, ("ops-a",)), cards.Rule(1, ("ops-b",))))
    story("one of two rules", "threshold", verify(w.raw), policy=each)
    story(
        "accepted without a group that two must grant",
        None,
        verify(w.raw),
        policy=policy(groups={"agents": cards.Rule(2)}),
        warnings=["group-not-granted"],
    )
    deploy = {"policy": policy(capabilities={"deploy": cards.Rule(2)}), "warnings": ["capability-not-granted"]}
    story("accepted without a capability that two must grant", None, verify(by(w.issuer, cap=["deploy"])), **deploy)
    story(
        "identity denied", "denied", verify(w.raw), policy=policy(deny=(w.identity.public,), allow=(w.identity.public,))
    )
    story("node denied", "denied", verify(w.raw), policy=policy(deny=(w.node.public,)))
    bare = w.make_card()
    story("accepted allowed identity", None, verify(bare), policy=policy(allow=(w.identity.public,)))
    story(
        "allowed identity that revoked itself",
        "revoked",
        add(w.self_revocation(w.identity)),
        verify(bare),
        policy=policy(allow=(w.identity.public,)),
    )
    story(
        "allowed identity without node signature",
        "unproven",
        verify(w.envelope(node=b"")),
        policy=policy(allow=(w.identity.public,)),
    )
    ended = w.make_list(sequence=2, entries=[w.entry(w.identity.public)])
    story(
        "identity ended by a revoker", "revoked", add(ended), verify(by(w.second)), policy=policy(revokers=("ops-a",))
    )
    story("accepted pinned identity", None, pin(w.identity), verify(bare))
    story("another identity under a pinned name", "pin-changed", pin(w.mallory), verify(w.raw))
    story(
        "allowed identity under a pinned name",
        "pin-changed",
        pin(w.mallory),
        verify(w.raw),
        policy=policy(allow=(w.identity.public,)),
    )
    story("first use off", "threshold", verify(bare))
    story("first use asks", "threshold", verify(bare), policy=policy(tofu="ask"), warnings=["first-use"])
    story("accepted on first use", None, verify(bare), policy=policy(tofu="first-use"), warnings=["first-use"])
    other = w.make_card(w.mallory, w.mallory_node)
    story(
        "second use of a name", "pin-changed", verify(bare, accept=True), verify(other), policy=policy(tofu="first-use")
    )
    story("policy that is broken", "policy-invalid", {"policy": 'network = "example-net"\nleway = 5\n'})
    story("policy of another network", "wrong-network", {"policy": 'network = "other-net"\n'})
    lower = w.grant(w.make_card(sequence=6))
    story("a lower number after a higher", "rollback", verify(w.raw, accept=True), verify(lower))
    other = w.grant(w.make_card(name="other.example"))
    story("another card of one number", "equivocation", verify(w.raw, accept=True), verify(other))
    grace = policy(expired_grace=DAY)
    story("new peer within the grace", "expired", verify(w.envelope(exp=w.now)), policy=grace)
    story(
        "accepted established peer within the grace",
        None,
        verify(w.envelope(exp=w.now), established=True),
        policy=grace,
    )
    story(
        "established peer beyond the grace",
        "expired",
        verify(w.envelope(nbf=w.now - 3 * DAY, exp=w.now - DAY), established=True),
        policy=grace,
    )


def endings(story, w):
    heir, other = (cards.IdentityKey(name.ljust(32).encode()) for name in ("heir", "another heir"))
    over = w.succession(w.identity, heir)
    story("identity that handed over", "superseded", add(over), verify(w.raw))
    story(
        "succession signed by the old key alone",
        "succession-invalid",
        add(w.succession(w.identity, heir, signers=[w.identity] * 2)),
    )
    story(
        "succession signed by the new key alone",
        "succession-invalid",
        add(w.succession(w.identity, heir, signers=[heir] * 2)),
    )
    committed = mark(7, w.card.card_id, commitment(other))
    story("succession that ignores the commitment", "succession-invalid", committed, add(over))
    story(
        "accepted succession that ignores the commitment of the card",
        None,
        add(over),
        verify(w.envelope(next=commitment(other))),
    )
    story(
        "identity that handed over to two rivals",
        "superseded",
        add(over),
        add(w.succession(w.identity, other)),
        verify(w.raw),
    )
    rival = w.make_card(heir, w.mallory_node)
    story(
        "a pin goes to no rival",
        "pin-changed",
        pin(w.identity),
        add(over),
        add(w.succession(w.identity, other)),
        verify(rival),
    )
    story("accepted a pin moves to the successor", None, pin(w.identity), add(over), verify(rival))
    story("identity that revoked itself", "revoked", add(w.self_revocation(w.identity)), verify(w.raw))
    story("self-revocation by another", "revocation-invalid", add(w.self_revocation(w.identity, signer=w.mallory)))
    story(
        "pinned identity that revoked itself",
        "revoked",
        pin(w.identity),
        add(w.self_revocation(w.identity)),
        verify(w.raw),
    )
    story("issuer that retired", "threshold", add(w.retirement(w.issuer)), verify(w.raw))
    story("retirement by another issuer", "retirement-invalid", add(w.retirement(w.issuer, signer=w.second)))
    third = cards.IssuerKey(b"third".ljust(32))
    three = cards.Policy(network=w.network, issuers={**w.policy.issuers, "third": third.public})
    together, alone = w.retirement(w.issuer, by=[w.second, third]), w.retirement(w.issuer, by=[w.second])
    story("issuer that two others retired", "threshold", add(together), verify(w.raw), policy=three)
    story("retirement by one of three", "threshold", add(alone), policy=three)
    story("retirement by strangers", "threshold", add(w.retirement(w.issuer, by=[third, w.mallory_issuer])))
    left = w.manifest(1, 1, [w.issuer, w.second], by=[w.issuer, w.second, third])
    story("retirement that outlasts those who signed it", "threshold", add(together), add(left), verify(w.raw),
          policy=three)  # fmt: skip


def proofs(story, w, card):
    proof, node = conflicts.identity_conflict(w), conflicts.node_conflict(w)
    story("identity in conflict", "equivocation", add(proof), verify(w.raw))
    story("accepted a higher number after a conflict", None, add(proof), verify(conflicts.endorsed(w, sequence=8)))
    story("accepted the card of before the conflict", None, mark(7, card.card_id), add(proof), verify(w.raw))
    story("node in conflict", "node-conflict", add(node), verify(w.raw))
    new = w.grant(w.make_card(node=w.mallory_node, sequence=8))
    story("accepted another node after a conflict", None, add(node), verify(new))
    for name, make, code in conflicts.FORGED:
        story(f"conflict with {name}", code, add(cards.Conflict.parse(conflicts.raw("identity", w.raw, make(w)))))
    thiefs = w.make_card(name="thief.example", node=w.mallory_node)
    story("conflict of a card that nobody granted", "unknown-issuer", add(cards.Conflict.between(card, thiefs)))
    story("accepted conflict of an issuer", None, add(conflicts.issuer_conflict(w)), verify(w.raw))


def manifests(story, w):
    a, b, c = w.issuer, w.second, w.mallory_issuer
    story("issuer that the manifest leaves out", "threshold", add(w.manifest(1, 1, [b], by=[a, b])), verify(w.raw))
    story("accepted issuer of the manifest", None, add(w.manifest(1, 1, [a], by=[a, b])), verify(w.raw))
    story("accepted first manifest of one of two does nothing", None, add(w.manifest(1, 1, [b])), verify(w.raw))
    story("manifest that asks for two", "threshold", add(w.manifest(1, 2, [a, b])), verify(w.raw))
    story("manifest of strangers", "unknown-issuer", add(w.manifest(1, 1, [c])))
    story(
        "manifest that adds an issuer whom the policy does not name",
        "threshold",
        add(w.manifest(1, 1, [a, c], by=[a, b, c])),
        verify(by(c)),
    )
    next_, short = w.manifest(2, 1, [a], by=[a, b]), w.manifest(2, 1, [a])
    story("next manifest without those before", "threshold", add(w.manifest(1, 2, [a, b])), add(short), verify(w.raw))
    story("accepted next manifest with both", None, add(w.manifest(1, 2, [a, b])), add(next_), verify(w.raw))


def clocks(corpus, w):
    later = [add(w.make_list(issuer, sequence=2, now=w.now + 30 * DAY)) for issuer in (w.issuer, w.second)]
    ended = verify(w.envelope(exp=w.now + 9 * DAY))
    corpus.story(
        "clock set back before the end of a card", "expired", *later, ended | {"now": w.now}, now=w.now + 30 * DAY
    )
    corpus.story(
        "accepted one issuer alone moves no clock", None, later[0], ended | {"now": w.now}, now=w.now + 30 * DAY
    )
    corpus.story(
        "clock of 1970 takes one step", "not-yet-valid", add(w.make_list(sequence=2, now=w.now + 401 * DAY)), now=1000
    )
