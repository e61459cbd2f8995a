// Looks at the page's own layout, only when the address ends in #check: what is wider than the screen, which letters of a
// picture are outside of it or over each other, what was asked of the network. The test in a browser reads the answer.
if (location.hash === "#check") addEventListener("load", () => {
  const root = document.documentElement, wide = [], cut = [], over = [];
  for (const one of document.body.querySelectorAll("*")) {
    if (one.closest("svg") && one.tagName !== "svg") continue;
    const box = one.getBoundingClientRect();
    if (box.width && (box.right > root.clientWidth + 1 || box.left < -1)) wide.push(`${one.tagName} ${one.className}`);
    if (one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible") wide.push(`inside ${one.tagName}`);
  }
  const pictures = [...document.querySelectorAll("figure svg")];
  for (const picture of pictures) {
    const frame = picture.getBoundingClientRect(), seen = [];
    for (const text of picture.querySelectorAll("text")) {
      const box = text.getBoundingClientRect(), said = text.textContent;
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) cut.push(said);
      for (const [other, name] of seen)
        if (box.left < other.right - 1 && other.left < box.right - 1 && box.top < other.bottom - 3 && other.top < box.bottom - 3) over.push(`${said} / ${name}`);
      seen.push([box, said]);
    }
  }
  const said = {
    scrollWidth: root.scrollWidth, clientWidth: root.clientWidth, height: Math.ceil(document.body.getBoundingClientRect().bottom),
    pictures: pictures.map(one => one.getBoundingClientRect()).map(box => [box.left, box.top, box.width, box.height]),
    flat: pictures.filter(one => one.getBoundingClientRect().height < 100).length,
    wide, cut, over, requests: performance.getEntriesByType("resource").length,
    data: JSON.parse(document.getElementById("data").textContent) !== null,
  };
  const answer = document.body.appendChild(document.createElement("pre"));
  answer.id = "check";
  answer.hidden = true;
  answer.textContent = JSON.stringify(said);
  if (parent !== window) parent.postMessage(said, "*");
});
