// The sections of the page that are made once: head, failures, critical path, tables, log.

const FAILURES_AT_ONCE = 10;
const SAME = 6; // names of nodes that failed of the same
const LAST_LINES = 10;
const STEPS = 30; // rows of the critical path: the longest, in their order

function showHead(story) {
  const many = story.counts.reduce((sum, [, number]) => sum + number, 0);
  const begun = new Date(story.wall * 1e3);
  const when = begun.toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" });
  $("name").textContent = story.name;
  const origin = [story.run === null ? "" : `Run ${story.run}`, story.target ?? ""];
  $("origin").textContent = origin.filter(Boolean).join(" · ");
  $("origin").hidden = !$("origin").textContent;
  const hasEnded = !["working", "retrying", "pending"].includes(story.status);
  $("lead").className = `lead is-${story.status}`;
  $("lead").append(
    element("strong", {}, hasEnded ? words(story.status) : "not ended"), ` after ${duration(story.elapsed)}, begun `,
    element("time", { dateTime: begun.toISOString() }, when), `, ${counted(many, "task")}`);
  $("notice").hidden = hasEnded;
  $("notice").textContent = "This run had not come to its end: it was still going on, or was broken off. "
    + "What you see is what was on record by then.";
  // What went wrong first, what went well last.
  const order = ["failed", "timed_out", "cancelled", "skipped", "retrying", "working", "pending", "done"];
  const counts = story.counts.map(([status, number]) => [story.statuses[status], number])
    .sort(([one], [other]) => order.indexOf(one) - order.indexOf(other));
  for (const [status, number] of counts) {
    const part = element("span", { class: `is-${status}` });
    part.style.flexGrow = number;
    part.style.flexBasis = "0";
    $("share").append(part);
    $("legend").append(element("li", {}, icon(status, ""), element("b", {}, count(number)), words(status)));
  }
}

function showFailures(story, onChoice) {
  if (!story.failures.length) return;
  const many = story.failures.reduce((sum, [number]) => sum + number, 0);
  $("failures").hidden = false;
  $("failures-title").textContent = many === 1 ? "One failure" : `${count(many)} failures`;
  const waiting = [...story.failures];
  const more = element("button", { class: "more", type: "button" });
  const showMore = () => {
    const next = waiting.splice(0, FAILURES_AT_ONCE);
    $("failures-list").append(...next.map((failure) => failureCard(story, failure, onChoice)));
    const rest = waiting.length + story.failuresLeftOut;
    more.textContent = waiting.length ? `show ${count(waiting.length)} more` : `… ${count(rest)} more, in the tree`;
    more.disabled = !waiting.length;
    more.hidden = !rest;
    $("failures-list").append(more);
  };
  more.addEventListener("click", showMore);
  showMore();
}

function failureCard(story, [many, [place, ...same]], onChoice) {
  const known = story.detailsOf(place);
  const crumbs = story.crumbs(place).join(" › ");
  const attempts = story.attempts[place];
  const facts = [attempts > 1 ? `${count(attempts)} attempts` : "", duration(story.took(place))];
  const said = known.reason ?? words(story.statusOf(place));
  const title = element("h3", {},
    crumbs ? element("bdi", { class: "crumbs" }, `${crumbs} › `) : null,
    nodeLink(story, place, onChoice),
    many > 1
      ? element("span", { class: "times", title: `${count(many)} nodes failed of the same` }, `×${count(many)}`)
      : null);
  const card = element("article", { class: "card failure" },
    element("header", {}, title, element("span", { class: "facts" }, facts.filter(Boolean).join(" · "))),
    ...(known.faults ? faultBlocks(story, known.faults)
      : [element("pre", { class: "fault" }, element("span", { class: "message" }, said))]));
  if (known.log) card.append(element("pre", { class: "log" }, known.log.slice(-LAST_LINES).join("\n")));
  if (same.length) {
    const named = same.slice(0, SAME).flatMap((each, number) => [number ? ", " : "", nodeLink(story, each, onChoice)]);
    const rest = many - 1 - Math.min(same.length, SAME);
    card.append(element("p", { class: "same" }, "the same: ", ...named, rest ? `, … ${count(rest)} more` : ""));
  }
  return card;
}

function showPath(story, onChoice) {
  if (!story.path.length) return;
  $("path").hidden = false;
  const ran = story.path.reduce((sum, [, start, end]) => sum + end - start, 0);
  const waited = story.path.reduce((sum, [, , , gap]) => sum + gap, 0);
  const left = story.pathLeftOut ? `, and ${count(story.pathLeftOut)} before these` : "";
  $("path-about").textContent = `${counted(story.path.length, "step")}${left}: ${duration(ran)} at work`
    + (waited >= 1000 ? `, ${duration(waited)} waiting` : "");
  const shown = new Set(story.path.map((_, step) => step)
    .sort((one, other) => pathCost(story.path[other]) - pathCost(story.path[one])).slice(0, STEPS));
  showStrip(story, shown);
  const rows = [];
  let skipped = 0;
  story.path.forEach((step, number) => {
    if (!shown.has(number)) { skipped++; return; }
    if (skipped) rows.push(restRow(skipped));
    skipped = 0;
    rows.push(pathRow(story, step, onChoice));
  });
  if (skipped) rows.push(restRow(skipped));
  fillTable($("path-table"), ["step", "#waited", "#from", "#took"], rows);
}

const pathCost = ([, start, end, waited]) => end - start + waited;

/** The path as one strip, as long as the run; short steps that follow each other are one piece. */
function showStrip(story, shown) {
  const pieces = [];
  story.path.forEach(([place, start, end, waited], number) => {
    if (waited) pieces.push({ share: waited, status: null });
    const last = pieces.at(-1);
    if (shown.has(number) || !last || last.isMarked || last.status === null) {
      const isMarked = shown.has(number);
      pieces.push({ share: end - start, status: story.statusOf(place), isMarked, name: story.names[place] });
    } else last.share += end - start;
  });
  for (const { share, status, name } of pieces.slice(0, 4 * STEPS)) {
    const piece = element("span", { class: status ? `is-${status}` : "gap", title: name ?? "waited" });
    piece.style.flexGrow = share;
    piece.style.flexBasis = "0";
    $("path-strip").append(piece);
  }
}

const restRow = (number) =>
  element("tr", {}, element("td", { class: "rest", colSpan: 4 }, `… ${counted(number, "shorter step")}`));

function pathRow(story, [place, start, end, waited], onChoice) {
  return [named(story, place, onChoice), waited ? duration(waited) : "", moment(start), duration(end - start)];
}

function named(story, place, onChoice) {
  return element("span", { class: "pile" }, icon(story.statusOf(place)), nodeLink(story, place, onChoice));
}

function showTables(story, onChoice) {
  $("slowest").hidden = !story.slowest.length;
  fillTable($("slowest-table"), ["task", "#attempts", "#took"], story.slowest.map(([place, took]) =>
    [named(story, place, onChoice), count(story.attempts[place]), duration(took)]));
  $("kinds").hidden = !story.kinds.length;
  fillTable($("kinds-table"), ["declaration", "#tasks", "#middle", "#longest", "#sum"],
    story.kinds.map(([name, number, failed, sum, middle, longest]) => [
      element("span", {}, element("bdi", {}, name),
        failed ? element("span", { class: "bad" }, ` ${count(failed)} failed`) : null),
      count(number), duration(middle), duration(longest), duration(sum)]));
}

function showLog(story) {
  $("folder").textContent = story.folder && `Files without a folder are in ${story.folder}`;
  if (!story.log.length) return;
  $("log").hidden = false;
  $("log-about").textContent = `${counted(story.log.length, "line")} of nobody knows which task`;
  $("log-text").textContent = story.log.join("\n");
}
