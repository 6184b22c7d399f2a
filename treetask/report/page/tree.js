// The tree: only the rows in sight are elements, and each of these is many rows in turn.

const ROW = 28; // pixels; as the style has it
const SPARE = 6; // rows beyond either edge, so that a quick scroll finds them painted
const INDENT = 17;
const DEEPEST = 18; // levels; what is deeper is not moved further to the right
const SMALL = 24; // a tree of so few nodes is open as a whole

class Tree {
  /** Tells `onChoice` which node was chosen, and `onEnter` when its details are wanted. */
  constructor(story, { onChoice, onEnter, onFound }) {
    Object.assign(this, { story, onChoice, onEnter, onFound });
    this.box = $("tree");
    this.query = "";
    this.failedOnly = false;
    this.current = -1;
    this.open = this._initiallyOpen();
    this.openWhileFiltered = null;
    this.kept = null; // which nodes a filter leaves, and which of them it means
    this.slots = [];
    this.version = 0;
    this._lower = null;
    this._relist();
    this._listen();
  }

  _initiallyOpen() {
    const { story } = this;
    const open = new Uint8Array(story.size);
    for (let place = 0; place < story.size; place++) {
      open[place] = story.size <= SMALL || place === 0 || story.failedBelow[place] || story.openBelow[place] ? 1 : 0;
    }
    return open;
  }

  // -- which rows there are --

  _relist() {
    const { story, kept } = this;
    const open = this._openNow();
    const rows = [];
    this.level ??= this._levels();
    // Down to the first child, else to the next sibling of the nearest that has one.
    let place = story.size ? 0 : -1;
    while (place >= 0) {
      const isShown = !kept || kept[place];
      if (isShown) rows.push(place);
      let next = isShown && open[place] ? story.first[place] : -1;
      for (let at = place; next < 0 && at >= 0; at = story.parent[at]) next = at === 0 ? -1 : story.next[at];
      place = next;
    }
    this.rows = Int32Array.from(rows);
    this.version++;
    $("tree-size").style.height = `${this.rows.length * ROW}px`;
    this.box.style.height = `${this.rows.length * ROW + 2}px`;
    this.box.setAttribute("aria-rowcount", this.rows.length);
    this.paint();
  }

  _levels() {
    const levels = new Int32Array(this.story.size);
    for (let place = 1; place < levels.length; place++) levels[place] = levels[this.story.parent[place]] + 1;
    return levels;
  }

  _openNow() { return this.kept ? this.openWhileFiltered : this.open; }

  _rowOf(place) { return this.rows.indexOf(place); }

  filter({ query = this.query, failedOnly = this.failedOnly }) {
    this.query = query.trim().toLowerCase();
    this.failedOnly = failedOnly;
    $("failed-only").setAttribute("aria-pressed", String(failedOnly));
    const { story } = this;
    let found = 0;
    this.kept = null;
    if (this.query || failedOnly) {
      this.kept = new Uint8Array(story.size);
      this._lower ??= story.names.map((name) => name.toLowerCase());
      const wantsPath = this.query.includes("/");
      for (let place = story.size - 1; place >= 0; place--) {
        const isFound = this._isFound(place, wantsPath);
        if (isFound) found++;
        if (isFound || this.kept[place]) {
          this.kept[place] = isFound ? 2 : 1;
          if (place) this.kept[story.parent[place]] ||= 1;
        }
      }
      this.openWhileFiltered = new Uint8Array(story.size).fill(1);
    }
    this.onFound(this.kept ? found : null);
    this._relist();
    if (this.current >= 0 && this._rowOf(this.current) >= 0) this._show(this.current);
    else this.box.scrollTop = 0;
  }

  _isFound(place, wantsPath) {
    if (this.failedOnly && !this.story.isOwnFailure(place)) return false;
    if (!this.query || this._lower[place].includes(this.query)) return true;
    return wantsPath && this.story.idOf(place).toLowerCase().includes(this.query);
  }

  openAll(isOpen) {
    this._openNow().fill(isOpen ? 1 : 0);
    this._openNow()[0] = 1;
    this._relist();
    if (this._rowOf(this.current) < 0) this.choose(0);
    else this._show(this.current);
  }

  toggle(place, isOpen = !this._openNow()[place]) {
    if (!this.story.childCount[place]) return;
    this._openNow()[place] = isOpen ? 1 : 0;
    this._relist();
  }

  /** Go to a node, wherever it is: open what holds it, and take back a filter that hides it. */
  reveal(place) {
    if (this.kept && !this.kept[place]) {
      $("search").value = "";
      this.filter({ query: "", failedOnly: false });
    }
    const open = this._openNow();
    for (let at = this.story.parent[place]; at >= 0; at = this.story.parent[at]) open[at] = 1;
    this._relist();
    this.choose(place);
  }

  choose(place) {
    if (place < 0) return;
    this.current = place;
    this.version++;
    this._show(place);
    this.paint();
    this.onChoice(place);
  }

  _show(place) {
    const top = this._rowOf(place) * ROW;
    const height = this.box.clientHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + height) this.box.scrollTop = top + ROW - height;
  }

  // -- painting --

  paint() {
    const seen = Math.ceil((this.box.clientHeight || 720) / ROW) + 2 * SPARE + 1;
    while (this.slots.length < seen) this.slots.push(this._newSlot(this.slots.length));
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - SPARE);
    for (let step = 0; step < this.slots.length; step++) {
      const row = first + step;
      const slot = this.slots[row % this.slots.length];
      if (slot.index !== row || slot.version !== this.version) this._fill(slot, row);
    }
  }

  _newSlot(number) {
    const slot = new Slot(number);
    this.box.append(slot.row);
    return slot;
  }

  _fill(slot, index) {
    Object.assign(slot, { index, version: this.version });
    const isThere = index < this.rows.length;
    slot.put("hidden", !isThere, (value) => { slot.row.hidden = value; });
    if (!isThere) return;
    const { story } = this;
    const place = this.rows[index];
    slot.place = place;
    slot.row.style.top = `${index * ROW}px`;
    slot.row.setAttribute("aria-rowindex", index + 1);
    slot.showLevel(this.level[place]);
    slot.showStatus(story.statusOf(place), story.childCount[place] > 0);
    slot.showOpen(story.childCount[place] ? Boolean(this._openNow()[place]) : null);
    slot.put("chosen", place === this.current, (value) => slot.row.setAttribute("aria-selected", value));
    if (place === this.current) this.box.setAttribute("aria-activedescendant", slot.row.id);
    const at = this.query && this.kept?.[place] === 2 ? this._lower[place].indexOf(this.query) : -1;
    slot.showName(story.names[place], at, this.query.length);
    slot.showNote(this._note(place), story.isOwnFailure(place));
    slot.showTimes(story, place);
  }

  /** What there is to say of a node beside its name and status, in a few words. */
  _note(place) {
    const { story } = this;
    const known = story.detailsOf(place);
    const said = [];
    if (story.childCount[place]) {
      const failed = story.failedBelow[place];
      const all = story.below[place];
      said.push(failed ? `${count(failed)} failed of ${count(all)}` : counted(all, "task"));
    }
    if (known.progress) said.push(known.progress.map(count).join("/"));
    if (story.isOwnFailure(place)) {
      said.push(oneLine(story, known.faults) || known.reason || words(story.statusOf(place)));
    } else if (known.reason && !story.isFailure(place)) said.push(known.reason);
    if (story.attempts[place] > 1) said.push(`${count(story.attempts[place])} attempts`);
    return said.join(" · ");
  }

  // -- what a person does --

  _listen() {
    this.box.addEventListener("scroll", () => this.paint(), { passive: true });
    new ResizeObserver(() => this.paint()).observe(this.box);
    this.box.addEventListener("keydown", (event) => this._pressed(event));
    this.box.addEventListener("click", (event) => {
      const slot = this._slotAt(event.target);
      if (!slot) return;
      if (event.target === slot.toggle) this.toggle(slot.place);
      this.choose(slot.place);
    });
    this.box.addEventListener("dblclick", (event) => {
      const slot = this._slotAt(event.target);
      if (slot && event.target !== slot.toggle) this.toggle(slot.place);
    });
    this.box.addEventListener("focus", () => {
      if (this.current < 0 && this.rows.length) this.choose(this.rows[0]);
    });
  }

  _slotAt(target) {
    const row = target.closest?.(".row");
    return row && this.slots.find((slot) => slot.row === row);
  }

  _pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowDown: () => this._move(1),
      ArrowUp: () => this._move(-1),
      PageDown: () => this._move(this._page()),
      PageUp: () => this._move(-this._page()),
      Home: () => this._move(-Infinity),
      End: () => this._move(Infinity),
      ArrowRight: () => this._inward(),
      ArrowLeft: () => this._outward(),
      " ": () => this.toggle(this.current),
      Enter: () => this.onEnter(),
    }[event.key];
    if (!act || this.current < 0) return;
    event.preventDefault();
    act();
  }

  _page() { return Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1); }

  _move(by) {
    const row = Math.min(this.rows.length - 1, Math.max(0, this._rowOf(this.current) + by));
    if (this.rows.length) this.choose(this.rows[row]);
  }

  _inward() {
    const { story, current } = this;
    if (!story.childCount[current]) return;
    if (!this._openNow()[current]) this.toggle(current, true);
    else this._move(1);
  }

  _outward() {
    const { story, current } = this;
    if (story.childCount[current] && this._openNow()[current]) this.toggle(current, false);
    else if (story.parent[current] >= 0) this.choose(story.parent[current]);
  }

  /** The next failure, or the previous one, round the end; -1 where there is none. */
  nextFailure(step) {
    const { story } = this;
    for (let tried = 1; tried <= story.size; tried++) {
      const place = (((this.current + step * tried) % story.size) + story.size) % story.size;
      if (story.isOwnFailure(place)) return place;
    }
    return -1;
  }
}

/** The elements of a row. Each is touched only where it is to look other than before: most rows are much alike. */
class Slot {
  constructor(number) {
    this.index = this.version = -1;
    this.shown = {};
    this.sign = icon("pending");
    this.toggle = element("span", { class: "toggle" });
    [this.before, this.match, this.after] = [element("span"), element("mark"), element("span")];
    this.name = element("bdi", { class: "name" }, this.before, this.match, this.after);
    this.note = element("span", { class: "note" });
    this.label = element("div", { class: "cell", role: "gridcell" }, this.toggle, this.sign, this.name, this.note);
    this.span = element("span", { class: "span" });
    this.track = element("div", { class: "track", role: "gridcell" }, this.span);
    this.took = element("div", { class: "took", role: "gridcell" });
    this.row = element("div", { class: "row", role: "row", id: `row-${number}` }, this.label, this.track, this.took);
  }

  put(what, value, act) {
    if (this.shown[what] === value) return;
    this.shown[what] = value;
    act(value);
  }

  showLevel(level) {
    this.put("level", level, () => {
      this.row.setAttribute("aria-level", level + 1);
      this.label.style.paddingLeft = `${8 + Math.min(level, DEEPEST) * INDENT}px`;
    });
  }

  showStatus(status, hasChildren) {
    this.put("status", `${status} ${hasChildren}`, () => {
      this.row.className = `row is-${status}${hasChildren ? " has-children" : ""}`;
      this.sign.setAttribute("class", `icon is-${status}`);
      this.sign.setAttribute("aria-label", words(status));
      this.sign.firstChild.setAttribute("href", `#icon-${status}`);
    });
  }

  /** Whether what is below is shown; null where there is nothing below. */
  showOpen(isOpen) {
    this.put("open", isOpen, () => {
      if (isOpen === null) this.row.removeAttribute("aria-expanded");
      else this.row.setAttribute("aria-expanded", isOpen);
    });
  }

  /** The name, and where in it what was searched for begins; -1 where that is not meant. */
  showName(name, at, length) {
    this.put("before", at < 0 ? name : name.slice(0, at), (text) => { this.before.textContent = text; });
    this.put("match", at < 0 ? "" : name.slice(at, at + length), (text) => { this.match.textContent = text; });
    this.put("after", at < 0 ? "" : name.slice(at + length), (text) => { this.after.textContent = text; });
  }

  showNote(note, isBad) {
    this.put("note", note, () => { this.note.textContent = note; });
    this.put("bad", isBad, () => { this.note.className = isBad ? "note bad" : "note"; });
  }

  showTimes(story, place) {
    const hasBegun = story.hasBegun(place);
    this.put("begun", hasBegun, () => { this.span.hidden = !hasBegun; });
    this.put("took", hasBegun ? duration(story.took(place)) : "", (text) => { this.took.textContent = text; });
    if (!hasBegun) return;
    const whole = story.to - story.from;
    const left = Math.min(((story.start[place] - story.from) / whole) * 100, 99.5);
    this.put("left", left, () => { this.span.style.left = `${left}%`; });
    const width = Math.min((story.took(place) / whole) * 100, 100 - left);
    this.put("width", width, () => { this.span.style.width = `${width}%`; });
  }
}

/** What went wrong, in one line. */
function oneLine(story, faults) {
  if (!faults?.length) return "";
  const [kind, [message = ""]] = story.faults[faults[0]];
  const rest = faults.length > 1 ? ` and ${counted(faults.length - 1, "more", "more")}` : "";
  return (kind && message ? `${kind}: ${message}` : kind || message) + rest;
}
