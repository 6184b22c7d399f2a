// The panel: all that is known of one node.

const NEIGHBOURS = 12; // names in a list of dependencies; what is beyond is counted
const ATTEMPTS = 50; // rows; the last ones say most

class Panel {
  constructor(story, { onChoice }) {
    Object.assign(this, { story, onChoice });
    this.box = $("panel");
    this.empty();
  }

  empty() { this.box.replaceChildren(element("p", { class: "aside" }, "Choose a node to see what is known of it.")); }

  show(place) {
    const { story } = this;
    const known = story.detailsOf(place);
    const status = story.statusOf(place);
    const crumbs = story.crumbs(place).join(" › ");
    this.box.replaceChildren(
      element("h3", {}, icon(status), element("bdi", {}, story.names[place])),
      crumbs ? element("p", { class: "crumbs" }, element("bdi", {}, crumbs)) : "",
      this._facts(place, known, status),
      ...this._faults(known),
      ...this._attempts(known),
      ...this._neighbours("Waited for", known.needs ?? []),
      ...this._neighbours("Needed by", story.dependents(place)),
      ...this._log(known),
    );
    this.box.scrollTop = 0;
  }

  _facts(place, known, status) {
    const { story } = this;
    const facts = [["status", words(status)]];
    if (story.hasBegun(place)) {
      facts.push(["took", duration(story.took(place))]);
      facts.push(["from, to", `${moment(story.start[place])} … ${moment(story.end[place])}`]);
    }
    if (story.attempts[place] > 1 || known.retries) {
      const most = known.retries ? ` of at most ${count(known.retries + 1)}` : "";
      facts.push(["attempts", `${count(story.attempts[place])}${most}`]);
    }
    if (known.progress) facts.push(["progress", known.progress.map(count).join(" / ")]);
    if (known.reason) facts.push(["reason", known.reason]);
    if (story.childCount[place]) {
      const failed = story.failedBelow[place] ? `, ${count(story.failedBelow[place])} failed` : "";
      facts.push(["below it", `${counted(story.below[place], "node")}${failed}`]);
    }
    facts.push(["id", element("code", {}, story.idOf(place))]);
    return element("dl", {}, ...facts.flatMap(([name, fact]) => [element("dt", {}, name), element("dd", {}, fact)]));
  }

  _faults(known) {
    if (!known.faults) return [];
    return [element("h4", {}, known.faults.length > 1 ? "Errors" : "Error"), ...faultBlocks(this.story, known.faults)];
  }

  _attempts(known) {
    if (!known.attempts) return [];
    const { story } = this;
    const rows = known.attempts.slice(-ATTEMPTS).map(([number, start, end, status, faults]) => {
      const ended = `${words(story.statuses[status])}, ${duration(end - start)}`;
      const said = `attempt ${number}: ${ended}, from ${moment(start)}`;
      const error = oneLine(story, faults);
      return element("li", {}, icon(story.statuses[status]), element("span", {}, said,
        error ? element("span", { class: "aside" }, ` ${error}`) : null));
    });
    return [element("h4", {}, "Attempts"), element("ul", {}, ...rows)];
  }

  _neighbours(title, places) {
    if (!places.length) return [];
    const items = places.slice(0, NEIGHBOURS).map((place) =>
      element("li", {}, icon(this.story.statusOf(place)), nodeLink(this.story, place, this.onChoice)));
    const rest = places.length - items.length;
    if (rest) items.push(element("li", { class: "aside" }, `… ${count(rest)} more`));
    return [element("h4", {}, title), element("ul", {}, ...items)];
  }

  _log(known) {
    if (!known.log) return [];
    const kept = counted(known.log.length, "line");
    const cut = known.cut ? `, the last ${kept}; ${count(known.cut)} more are not in this page` : "";
    return [element("h4", {}, `Log${cut}`), element("pre", { class: "log", tabIndex: 0 }, known.log.join("\n"))];
  }
}

/** The name of a node, which leads to it. */
function nodeLink(story, place, onChoice, text = story.names[place]) {
  const link = element("button", { class: "link", type: "button", title: story.idOf(place) }, element("bdi", {}, text));
  link.addEventListener("click", () => onChoice(place));
  return link;
}

/** What went wrong: where, in the user's own code, and what was said. */
function faultBlocks(story, faults) {
  return faults.map((fault) => {
    const [kind, message, frames] = story.faults[fault];
    const where = frames.map(([file, line, name, source]) =>
      `${file}:${line} in ${name}\n${source ? `  ${source.trim()}\n` : ""}`);
    const said = message.join("\n");
    return element("pre", { class: "fault" },
      element("span", { class: "where" }, where.join("")),
      element("span", { class: "message" }, kind && said ? `${kind}: ${said}` : kind || said));
  });
}
