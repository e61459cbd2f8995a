"""Lists: how linked nodes come to hold the same revocation lists, before either judges the other.

Both name the heads of what they hold. A newer list is asked for; what comes is its signed head, with its page where
there is one alone. Of longer lists a node asks for the pages that it holds in no other list. A head is checked before
anything of its list is kept, a page by its digest in a head. What a peer gives is finished in the order in which it
gave it, oldest first, or older lists would come too late to be taken. What a node has just accepted it gives unasked to
every peer of which it knows that it lacks it: revocations are few and urgent.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cards import CardError, Finding, Head, RevocationList, SignedHead
from cards.findings import BAD_SIGNATURE
from cards.pages import MAX_PAGE, MAX_PAGES, page_digest
from p2pnoise.instant import SECOND, Instant

from .effects import LinkId
from .messages import (
    MAX_WANT_PAGES,
    GivenList,
    GivenPage,
    Heads,
    Message,
    MessageError,
    OfLists,
    WantLists,
    WantPages,
)
from .table import PeerTable

TIMEOUT = 10 * SECOND  # a peer that sends no page for so long is waited for no longer; a guess
# After this others are asked for the same pages, too; half as long for each who is asked already: or a few that give
# the head at once and the pages never would hold a revocation back. A guess: a page takes a second at 64 kB/s.
PATIENCE = SECOND
MAX_OFFERED = 64  # lists that one peer has given us the heads of; a guess: 16 issuers, each with three older ones
MAX_WAITING = 8 * MAX_PAGES  # pages whose lists are not whole yet: 8 MB at most; a guess
MAX_ALONG = 4 * MAX_PAGE  # bytes of pages that go along with their heads, in one answer


@dataclass(slots=True)
class _Link:
    """What has been said of lists on one link."""

    named: dict[bytes, Head] | None = None  # the heads that it told of last, by issuer
    passed: frozenset[bytes] = frozenset()  # digests of the lists that were given unasked, by it or by us
    given: frozenset[bytes] = frozenset()  # digests of the lists that it asked us for: each goes out once
    owed: frozenset[bytes] = frozenset()  # digests of their pages that it has not got: each goes out once
    offered: tuple[SignedHead, ...] = ()  # of the lists that it gave us and that are not whole
    asked: set[bytes] | None = None  # digests of the pages that it has yet to give, until the end of its answer
    due: int | None = None  # monotonic nanosecond by which the next should come; None where it is late
    alone_until: int | None = None  # until then nobody else is asked for these
    came: int = 0  # pages that made us wait longer for the rest, at most those of one list


class ListExchange:
    """What is named, wanted and given on all links. The overlay takes what it hands out, and says so."""

    def __init__(self, table: PeerTable, send: Callable[[LinkId, Message], None]) -> None:
        self._table = table
        self._send = send
        self._links: dict[LinkId, _Link] = {}
        self._busy: dict[LinkId, None] = {}  # those whose peer has offered a list, or is asked for a page
        # Until our lists are those of a peer, and the node may judge it: issuer -> sequence that it says it holds.
        self._claimed: dict[LinkId, dict[bytes, int] | None] = {}
        self._pages: OrderedDict[bytes, bytes] = OrderedDict()  # by digest, of lists that are not whole yet
        self._told: dict[bytes, bytes] = {}  # issuer -> digest of its list that the operator was last told of
        self._moved: list[LinkId] = []  # one for each such page of this input

    def peer_greeted(self, link: LinkId) -> None:
        self._links[link] = _Link()
        self._claimed[link] = None
        self.name_heads(link)

    def peer_down(self, link: LinkId) -> None:
        self._links.pop(link, None)  # the pages that it gave stay: the next peer, or the next link, gives the rest
        self._busy.pop(link, None)
        self._claimed.pop(link, None)

    def begin_anew(self, link: LinkId) -> None:
        """Name everything, and give it once more: it may have come too early, or before a policy that takes it."""
        self._links[link].given = frozenset()
        self.name_heads(link)

    def reconsider(self) -> None:
        """The policy has changed: ask for what it accepts now of all that peers have named."""
        for link, state in self._links.items():
            if state.named:
                self._compare(link, tuple(state.named.values()))

    def name_heads(self, link: LinkId) -> None:
        """Of accepted issuers only: those of a policy that is gone interest nobody, and there may be many."""
        accepted = set(self._table.policy.issuers.values())
        self._send(link, Heads(tuple(head for head in self._table.revocations.heads if head.issuer in accepted)))

    def message(self, link: LinkId, message: OfLists, now: Instant) -> Finding | None:
        """What the operator should know, who can mend it, of a list that is not taken. Raises `MessageError`."""
        match message:
            case Heads(heads):
                self._compare(link, heads)
            case WantLists(issuers):
                self._give(link, issuers)
            case GivenList():
                return self._offered(link, message, now)
            case WantPages(digests):
                self._serve(link, digests)
            case GivenPage(page):
                self._given(link, page, now)
        return None

    @property
    def busy(self) -> bool:
        """Whether lists or pages of them are awaited, or a peer whose lists are not ours yet."""
        return bool(self._busy or self._claimed or self._moved)

    def whole(self, now: Instant) -> Iterator[tuple[LinkId, SignedHead, list[bytes]]]:
        """The lists whose pages are all there, to be taken one by one; of the others it asks for what is missing."""
        while (found := self._next_whole(now)) is not None:
            yield found

    def waive(self, link: LinkId, head: SignedHead) -> None:
        """Wait for this list of the peer's no longer: what its issuer signed is not taken here, whoever gives it.

        Or an issuer whose lists some take and others do not would keep them apart.
        """
        claimed = self._claimed.get(link)
        if claimed is None or claimed.get(head.issuer, 0) > head.sequence:
            return
        others = [one for one in self._links[link].offered if one.issuer == head.issuer and one.digest != head.digest]
        if others:  # an older one, whose pages are still to come
            claimed[head.issuer] = max(one.sequence for one in others)
        else:
            claimed.pop(head.issuer, None)

    def accepted(self, new: RevocationList, link: LinkId | None) -> None:
        """A list is held now: it is news for all but the link that it came by."""
        for digest in new.page_digests:
            self._pages.pop(digest, None)
        for other in self._links:
            if other != link:
                self._pass_on(other, new.issuer)

    def compared(self) -> Iterator[LinkId]:
        """Each link once, when we hold all that its peer has told us of."""
        if not self._claimed:
            return
        held = {issuer: state.sequence for issuer, state in self._table.revocations.by_issuer.items()}
        for link, claimed in list(self._claimed.items()):
            if claimed is not None and all(held.get(issuer, 0) >= number for issuer, number in claimed.items()):
                del self._claimed[link]
                yield link

    def moved(self) -> list[LinkId]:
        """The links by which a page came that was lacking; each at most `MAX_PAGES` times, or a peer that doles out the
        pages of many lists would be waited for without end."""
        moved, self._moved = self._moved, []
        return moved

    def deadline(self) -> int | None:
        """The monotonic nanosecond by which `whole` wants to be asked again, or None."""
        if not self._busy:
            return None
        dues = (due for link in self._busy for due in (self._links[link].due, self._links[link].alone_until))
        return min((due for due in dues if due is not None), default=None)

    # Naming and asking

    def _compare(self, link: LinkId, heads: tuple[Head, ...]) -> None:
        accepted = set(self._table.policy.issuers.values())
        self._links[link].named = {head.issuer: head for head in heads}
        if link in self._claimed:
            awaited = accepted - self._table.facts.retired(self._table.policy)
            self._claimed[link] = {head.issuer: head.sequence for head in heads if head.issuer in awaited}
        ours = {head.issuer: head for head in self._table.revocations.heads}
        newer = [head.issuer for head in heads if head.issuer in accepted and _is_newer(head, ours.get(head.issuer))]
        if newer:
            self._send(link, WantLists(tuple(newer)))

    def _next_whole(self, now: Instant) -> tuple[LinkId, SignedHead, list[bytes]] | None:
        for state in map(self._links.__getitem__, self._busy):
            if state.alone_until is not None and now.monotonic >= state.alone_until:
                state.alone_until = None
        for link in list(self._busy):
            state = self._links[link]
            if state.due is not None and now.monotonic >= state.due:
                state.due = None
            if not state.offered and state.due is None:
                del self._busy[link]
            while state.offered:
                head = state.offered[0]
                pages = {**self._held_pages(head.issuer), **self._pages}
                missing = [digest for digest in head.page_digests if digest not in pages]
                if self._is_news(head) and missing:
                    self._ask(link, missing, now)
                    break
                state.offered = state.offered[1:]
                if self._is_news(head):
                    return link, head, [pages[digest] for digest in head.page_digests]
        return None

    def _ask(self, link: LinkId, missing: list[bytes], now: Instant) -> None:
        state = self._links[link]
        if state.asked is not None:
            return
        others = [other for other in map(self._links.__getitem__, self._busy) if other.asked]
        elsewhere = {digest for other in others if other.alone_until is not None for digest in other.asked or ()}
        wanted = tuple(digest for digest in missing if digest not in elsewhere)[:MAX_WANT_PAGES]
        if wanted:
            asked_already = sum(not other.asked.isdisjoint(wanted) for other in others if other.asked)
            state.asked, state.due = set(wanted), now.monotonic + TIMEOUT
            state.alone_until = now.monotonic + (PATIENCE >> asked_already)
            self._busy[link] = None
            self._send(link, WantPages(wanted))

    # Giving

    def _give(self, link: LinkId, issuers: tuple[bytes, ...]) -> None:
        """Answer, with the older lists that are still needed, or a latecomer would take back what they revoke."""
        state, by_issuer = self._links[link], self._table.revocations.by_issuer
        wanted = [by_issuer[issuer].lists for issuer in sorted(set(issuers) & set(by_issuer))]
        lists = [one for held in wanted for one in held if one.digest not in state.given]
        state.given |= {one.digest for one in lists}
        self._send_lists(link, lists)

    def _pass_on(self, link: LinkId, issuer: bytes) -> None:
        """Give unasked what the peer lacks of this issuer; or name it, where nobody knows yet what the peer holds."""
        state = self._links[link]
        if state.named is None:
            self.name_heads(link)
            return
        theirs = state.named.get(issuer)
        if theirs in self._table.revocations.heads:
            return
        held = state.passed.union(head.digest for head in state.offered)
        # From what it holds on, the oldest first, as where it had asked for them.
        lists = [
            one
            for one in self._table.revocations.by_issuer[issuer].lists
            if one.digest not in held and (theirs is None or one.sequence >= theirs.sequence)
        ]
        state.passed |= {one.digest for one in lists}
        self._send_lists(link, lists)

    def _send_lists(self, link: LinkId, lists: Sequence[RevocationList]) -> None:
        state, held = self._links[link], self._table.revocations.by_issuer.values()
        along = MAX_ALONG
        for one in lists:
            size = sum(map(len, one.pages))
            pages = one.pages if len(one.pages) <= 1 and size <= along else ()
            along -= size if pages else 0
            state.owed |= set(one.page_digests) - set(map(page_digest, pages))
            self._send(link, GivenList(one.head, one.signature, pages))
        # What is held no more is not given again either.
        needed = {one.digest: one.page_digests for issuer in held for one in issuer.lists}
        state.given &= needed.keys()
        state.passed &= needed.keys()
        state.owed &= {digest for digests in needed.values() for digest in digests}

    def _serve(self, link: LinkId, digests: tuple[bytes, ...]) -> None:
        state = self._links[link]
        pages = {
            digest: page
            for issuer in self._table.revocations.by_issuer
            for digest, page in self._held_pages(issuer).items()
        }
        for digest in digests:
            if digest in state.owed and digest in pages:
                state.owed -= {digest}
                self._send(link, GivenPage(pages[digest]))
        self._send(link, GivenPage(b""))

    # Taking

    def _offered(self, link: LinkId, given: GivenList, now: Instant) -> Finding | None:
        """Cheap checks come before the signature, and that before anything is kept."""
        state = self._links[link]
        try:
            head = SignedHead.read(given.head, given.signature)
        except CardError as error:
            raise MessageError(str(error)) from None
        if not self._is_news(head):
            state.passed |= {head.digest} & self._digests_of(head.issuer)
            return None
        if self._is_offered(state, head):
            return None
        finding = self._table.check_list(head, now.unix)
        if finding is not None:
            if finding.exit == BAD_SIGNATURE:
                raise MessageError(finding.message)
            self.waive(link, head)
            if finding.code != "list-lifetime" or self._told.get(head.issuer) == head.digest:
                return None
            self._told[head.issuer] = head.digest  # once: whoever holds that list names it again and again
            return finding
        pages = {page_digest(page): page for page in given.pages}
        if not pages.keys() <= set(head.page_digests):
            raise MessageError(f"list {head.sequence} of {head.issuer.short} with a page that its head does not name")
        state.offered += (head,)
        self._busy[link] = None
        for digest, page in pages.items():
            self._keep(link, digest, page)
        return None

    def _given(self, link: LinkId, page: bytes, now: Instant) -> None:
        """A page that was asked of this peer. Any other is ignored: it may have been asked for once and come late."""
        state = self._links[link]
        if state.asked is None:
            return
        if page:
            digest = page_digest(page)
            if digest in state.asked:
                state.asked.discard(digest)
                state.due = now.monotonic + TIMEOUT
                if state.alone_until is not None:
                    state.alone_until = now.monotonic + PATIENCE
                self._keep(link, digest, page)
            return
        # The end of its answer; what was not in it, this peer no longer has, and others may.
        if state.offered and state.asked & set(state.offered[0].page_digests):
            state.offered = state.offered[1:]
        state.asked = state.due = state.alone_until = None

    def _keep(self, link: LinkId, digest: bytes, page: bytes) -> None:
        state = self._links[link]
        if state.came < MAX_PAGES:
            state.came += 1
            self._moved.append(link)
        self._pages[digest] = page
        if len(self._pages) > MAX_WAITING:
            self._pages.popitem(last=False)

    def _is_news(self, head: SignedHead) -> bool:
        """Whether a list of this head could be taken, as far as its number says."""
        held = self._table.revocations.by_issuer.get(head.issuer)
        return held is None or (head.sequence >= held.sequence and all(head.digest != one.digest for one in held.lists))

    @staticmethod
    def _is_offered(state: _Link, head: SignedHead) -> bool:
        """Whether this peer has given us this head already, or too many others."""
        return len(state.offered) >= MAX_OFFERED or any(head.digest == one.digest for one in state.offered)

    def _digests_of(self, issuer: bytes) -> set[bytes]:
        held = self._table.revocations.by_issuer.get(issuer)
        return {one.digest for one in held.lists} if held is not None else set()

    def _held_pages(self, issuer: bytes) -> dict[bytes, bytes]:
        held = self._table.revocations.by_issuer.get(issuer)
        lists = held.lists if held is not None else ()
        return {digest: page for one in lists for digest, page in zip(one.page_digests, one.pages, strict=True)}


def _is_newer(theirs: Head, ours: Head | None) -> bool:
    # An equal number with another digest is a twin list: both sides fetch the other's and hold the union.
    return (
        ours is None
        or theirs.sequence > ours.sequence
        or (theirs.sequence == ours.sequence and theirs.digest != ours.digest)
    )
