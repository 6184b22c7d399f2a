// The page: its parts, and the keys that are heard everywhere.

const story = new Story(JSON.parse($("story").textContent));
$("story").remove();

const panel = new Panel(story, { onChoice: goTo });
showHead(story);
showFailures(story, goTo);

const tree = new Tree(story, {
  onChoice: (place) => {
    // A key that is held down passes many rows; only where it rests is of interest.
    cancelAnimationFrame(panel.wanted);
    panel.wanted = requestAnimationFrame(() => panel.show(place));
    timeline?.choose(place);
  },
  onEnter: () => panel.box.focus(),
  onFound: (found) => {
    $("found").textContent = found === null ? "" : found ? `${count(found)} found` : "nothing found";
  },
});

let timeline = null;
if (story.bars.node.length) timeline = new Timeline(story, { onChoice: goTo });
else $("timeline-section").hidden = true;
if (timeline) {
  const [bodies, most] = [new Set(story.bars.node).size, count(timeline.curve.most)];
  const attempts = counted(story.bars.node.length, "attempt");
  $("timeline-about").textContent = `${attempts} of ${counted(bodies, "body", "bodies")}`;
  const whole = duration(story.to - story.from);
  $("timeline").setAttribute("aria-label",
    `Timeline of ${whole}: at most ${most} bodies at once. The tree has the same times in words.`);
}

if (story.size) tree.choose(0);
showPath(story, goTo);
showTables(story, goTo);
showLog(story);
// When the first rows stand, for whoever measures it.
requestAnimationFrame(() => performance.mark("first-rows"));

/** Choose a node from anywhere on the page, and bring the tree into sight. */
function goTo(place) {
  if (place < 0) return;
  tree.reveal(place);
  tree.box.focus({ preventScroll: true });
  $("tree-title").scrollIntoView({ block: "nearest" });
  tree.box.scrollIntoView({ block: "nearest" });
}

let typed = 0;
$("search").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => tree.filter({ query: $("search").value }), story.size > 20_000 ? 120 : 0);
});
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    $("search").value = "";
    tree.filter({ query: "" });
    tree.box.focus();
  } else if (event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    tree.filter({ query: $("search").value });
    const found = tree.rows.find((place) => tree.kept?.[place] === 2);
    if (found !== undefined) tree.choose(found);
    tree.box.focus();
  }
});
panel.box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tree.box.focus();
});
$("failed-only").addEventListener("click", () => tree.filter({ failedOnly: !tree.failedOnly }));
$("open-all").addEventListener("click", () => tree.openAll(true));
$("close-all").addEventListener("click", () => tree.openAll(false));
$("help-button").addEventListener("click", () => $("help").showModal());

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches?.("input, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping || $("help").open) return;
  const act = {
    "/": () => { $("search").focus(); $("search").select(); },
    f: () => tree.filter({ failedOnly: !tree.failedOnly }),
    n: () => goTo(tree.nextFailure(1)),
    p: () => goTo(tree.nextFailure(-1)),
    t: () => { $("timeline").scrollIntoView({ block: "nearest" }); $("timeline").focus(); },
    "?": () => $("help").showModal(),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
