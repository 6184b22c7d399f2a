// The timeline: how many bodies ran at once, and below it each of them in its lane, on one axis that can be zoomed.

const CURVE = 58; // pixels: the curve, the axis below it, all lanes together, one lane at most
const AXIS = 24;
const LANES = 330;
const LANE = 20;
const THIN = 2;
const SIDE = 12;
const CLOSEST = 50; // microseconds that are as wide as the page; there is nothing to see closer
const TICK = 92; // pixels between two ticks, at least

class Timeline {
  constructor(story, { onChoice }) {
    Object.assign(this, { story, onChoice });
    this.canvas = $("timeline");
    this.paper = this.canvas.getContext("2d");
    this.lanes = this._byLane();
    this.curve = this._curve();
    this.onPath = new Set(story.path.map(([place]) => place));
    this.chosen = -1;
    this.view = { from: story.from, to: story.to };
    const count = this.lanes.length;
    this.laneHeight = Math.min(LANE, LANES / Math.max(1, count));
    this.height = CURVE + AXIS + Math.ceil(this.laneHeight * count) + 10;
    this.canvas.style.height = `${this.height}px`;
    this._listen();
    this._recolour();
  }

  /** The bars of each lane, in the order in which they began. */
  _byLane() {
    const lanes = [];
    this.story.bars.lane.forEach((lane, bar) => (lanes[lane] ??= []).push(bar));
    return lanes;
  }

  /** How many bodies ran from each moment on at which that changed; one that waits for its children does not count. */
  _curve() {
    const { bars, childCount } = this.story;
    const counted = (_, bar) => !childCount[bars.node[bar]];
    const [starts, ends] = [bars.start.filter(counted).sort(), bars.end.filter(counted).sort()];
    const curve = { at: [], running: [], most: 0 };
    for (let begun = 0, ended = 0; ended < ends.length; ) {
      const now = Math.min(begun < starts.length ? starts[begun] : Infinity, ends[ended]);
      while (starts[begun] === now) begun++;
      while (ends[ended] === now) ended++;
      curve.at.push(now);
      curve.running.push(begun - ended);
      curve.most = Math.max(curve.most, begun - ended);
    }
    return curve;
  }

  // -- places on the paper --

  get width() { return this.canvas.clientWidth; }
  x(at) { return SIDE + ((at - this.view.from) / (this.view.to - this.view.from)) * (this.width - 2 * SIDE); }
  at(x) { return this.view.from + ((x - SIDE) / (this.width - 2 * SIDE)) * (this.view.to - this.view.from); }
  top(lane) { return CURVE + AXIS + lane * this.laneHeight; }

  zoom(factor, around = (this.view.from + this.view.to) / 2) {
    const { from, to } = this.view;
    const whole = this.story.to - this.story.from;
    const span = Math.min(whole, Math.max(CLOSEST, (to - from) * factor));
    this._look(around - ((around - from) / (to - from)) * span, span);
  }

  move(share) { this._look(this.view.from + share * (this.view.to - this.view.from), this.view.to - this.view.from); }
  showAll() { this._look(this.story.from, this.story.to - this.story.from); }

  _look(from, span) {
    const begin = Math.max(this.story.from, Math.min(this.story.to - span, from));
    this.view = { from: begin, to: begin + span };
    this.draw();
  }

  choose(place) {
    this.chosen = place;
    this.draw();
  }

  // -- painting --

  /** Paint with the next frame; many wishes are one. */
  draw() {
    this._wanted ??= requestAnimationFrame(() => {
      this._wanted = undefined;
      this._paint();
    });
  }

  _recolour() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = {};
    for (const name of ["ink", "soft", "faint", "line", "card", "accent"]) this.colours[name] = colour(name);
    this.hues = this.story.statuses.map(colour);
    this.font = `11px ${style.getPropertyValue("--sans")}`;
    this.draw();
  }

  _paint() {
    const scale = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(this.width * scale), Math.round(this.height * scale)];
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
    this.paper.setTransform(scale, 0, 0, scale, 0, 0);
    this.paper.clearRect(0, 0, this.width, this.height);
    this.paper.font = this.font;
    this._paintAxis();
    this._paintCurve();
    this.lanes.forEach((bars, lane) => this._paintLane(bars, lane));
    // Where lanes lie on each other, failures lie above.
    if (this.laneHeight < THIN) this.lanes.forEach((bars, lane) => this._paintLane(bars, lane, true));
    this.canvas.dataset.from = this.view.from;
    this.canvas.dataset.to = this.view.to;
  }

  _paintAxis() {
    const { paper, colours, view } = this;
    const step = roundStep(((view.to - view.from) * TICK) / this.width);
    paper.fillStyle = colours.faint;
    paper.strokeStyle = colours.line;
    paper.lineWidth = 1;
    paper.textAlign = "left";
    for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      paper.beginPath();
      paper.moveTo(x, CURVE + 6);
      paper.lineTo(x, this.height);
      paper.stroke();
      if (x < this.width - 40) paper.fillText(tickText(at, step), x + 4, CURVE + AXIS - 7);
    }
    paper.beginPath();
    paper.moveTo(0, CURVE + 0.5);
    paper.lineTo(this.width, CURVE + 0.5);
    paper.stroke();
  }

  _paintCurve() {
    const { paper, curve, view, colours } = this;
    if (!curve.most) return;
    const [bottom, height] = [CURVE, CURVE - 20];
    const y = (running) => bottom - (running / curve.most) * height;
    let step = Math.max(0, before(curve.at, view.from));
    paper.beginPath();
    paper.moveTo(SIDE, bottom);
    // The most of each pixel: a peak that is narrower than one is seen all the same.
    for (let x = SIDE; x <= this.width - SIDE; x++) {
      const until = this.at(x + 1);
      let most = curve.at[step] <= until ? curve.running[step] : 0;
      while (step + 1 < curve.at.length && curve.at[step + 1] < until) most = Math.max(most, curve.running[++step]);
      paper.lineTo(x, y(most));
      paper.lineTo(x + 1, y(most));
    }
    paper.lineTo(this.width - SIDE, bottom);
    paper.globalAlpha = 0.16;
    paper.fillStyle = colours.accent;
    paper.fill();
    paper.globalAlpha = 0.8;
    paper.strokeStyle = colours.accent;
    paper.stroke();
    paper.globalAlpha = 1;
    paper.fillStyle = colours.soft;
    paper.fillText(`at most ${count(curve.most)} at once`, SIDE, 13);
  }

  _paintLane(bars, lane, isOfFailures = false) {
    const { start, end, status, node } = this.story.bars;
    const { paper, view } = this;
    const top = this.top(lane);
    const height = this.laneHeight >= 4 ? this.laneHeight - 1.5 : Math.max(isOfFailures ? THIN : 1, this.laneHeight);
    let painted = -1; // the last pixel with a bar; more in the same one would not be seen
    for (let at = Math.max(0, before(bars, view.from, (bar) => start[bar])); at < bars.length; at++) {
      const bar = bars[at];
      if (start[bar] > view.to) break;
      const [left, right] = [Math.max(this.x(start[bar]), -2), Math.min(this.x(end[bar]), this.width + 2)];
      const isFailure = this.story.isFailure(node[bar]);
      if (isOfFailures && !isFailure) continue;
      if (right < 0 || (right <= painted && !isFailure)) continue;
      const waits = this.story.childCount[node[bar]] > 0;
      paper.fillStyle = this.hues[status[bar]];
      paper.globalAlpha = waits ? 0.28 : 1;
      // A failure is seen however short it was.
      const width = Math.max(isFailure ? 3 : 1, right - left - (right - left > 4 ? 1 : 0));
      if (height >= 7 && width > 5) {
        paper.beginPath();
        paper.roundRect(left, top, width, height, 3);
        paper.fill();
      } else paper.fillRect(left, top, width, height);
      paper.globalAlpha = 1;
      painted = Math.floor(left) + 1;
      this._mark(bar, { left, top, width, height, waits });
    }
  }

  /** What stands in a bar and around it: a name where there is room, the critical path, the node that was chosen. */
  _mark(bar, { left, top, width, height, waits }) {
    const { paper, colours } = this;
    const place = this.story.bars.node[bar];
    if (height >= 13 && width > 34) {
      paper.save();
      paper.beginPath();
      paper.rect(Math.max(left, 0), top, width - 5, height);
      paper.clip();
      paper.fillStyle = waits ? colours.ink : colours.card;
      paper.fillText(this.story.names[place].slice(0, 120), Math.max(left, 0) + 6, top + height / 2 + 4);
      paper.restore();
    }
    if (this.onPath.has(place) && !waits && height >= 5) {
      paper.fillStyle = colours.ink;
      paper.fillRect(left, top + height - 2, width, 2);
    }
    if (place === this.chosen) {
      paper.strokeStyle = colours.ink;
      paper.lineWidth = 1.5;
      paper.strokeRect(left - 1, top - 0.75, width + 2, Math.max(height, 3) + 1.5);
      paper.lineWidth = 1;
    }
  }

  // -- what a person does --

  _listen() {
    const { canvas } = this;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._recolour());
    canvas.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this._pressed(event));
    canvas.addEventListener("pointerdown", (event) => this._grab(event));
    canvas.addEventListener("pointermove", (event) => this._pointed(event));
    canvas.addEventListener("pointerleave", () => this._tell(-1));
    canvas.addEventListener("dblclick", (event) => this.zoom(0.4, this.at(event.offsetX)));
    $("zoom-in").addEventListener("click", () => this.zoom(0.5));
    $("zoom-out").addEventListener("click", () => this.zoom(2));
    $("zoom-all").addEventListener("click", () => this.showAll());
  }

  /** Zoom, or move sideways. A page that is scrolled goes on scrolling: a wheel alone is ours only with the focus. */
  _wheel(event) {
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (!isSideways && !event.ctrlKey && !event.metaKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    if (isSideways) this.move(event.deltaX / this.width);
    else this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 200), this.at(event.offsetX));
    this._tell(-1);
  }

  _pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), 0: () => this.showAll(),
      ArrowLeft: () => this.move(-0.15), ArrowRight: () => this.move(0.15),
      Home: () => this.move(-Infinity), End: () => this.move(Infinity),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  _grab(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const begin = { x: event.offsetX, view: this.view };
    const drag = (moved) => {
      if (Math.abs(moved.offsetX - begin.x) < 3 && !this.isDragged) return;
      this.isDragged = true;
      this.canvas.classList.add("dragged");
      const span = begin.view.to - begin.view.from;
      this._look(begin.view.from - ((moved.offsetX - begin.x) / (this.width - 2 * SIDE)) * span, span);
    };
    const drop = (up) => {
      this.canvas.removeEventListener("pointermove", drag);
      this.canvas.classList.remove("dragged");
      const bar = this.isDragged || up.type !== "pointerup" ? -1 : this._barAt(up.offsetX, up.offsetY);
      this.isDragged = false;
      if (bar >= 0) this.onChoice(this.story.bars.node[bar]);
    };
    this.canvas.addEventListener("pointermove", drag);
    this.canvas.addEventListener("pointerup", drop, { once: true });
  }

  _pointed(event) {
    this._tell(this.isDragged ? -1 : this._barAt(event.offsetX, event.offsetY), event);
  }

  /** The bar at a place of the paper, or -1; a thin one is met a little beside it as well. */
  _barAt(x, y) {
    const bars = this.lanes[Math.floor((y - CURVE - AXIS) / this.laneHeight)];
    if (!bars || y < CURVE + AXIS) return -1;
    const { start, end } = this.story.bars;
    const near = before(bars, this.at(x + 2), (bar) => start[bar]);
    return near >= 0 && end[bars[near]] >= this.at(x - 3) ? bars[near] : -1;
  }

  _tell(bar, event) {
    const tip = $("tip");
    tip.hidden = bar < 0;
    if (bar < 0) return;
    const { bars, names, attempts, statuses } = this.story;
    const place = bars.node[bar];
    const attempt = attempts[place] > 1 ? `, attempt ${bars.number[bar]} of ${attempts[place]}` : "";
    const took = duration(bars.end[bar] - bars.start[bar]);
    const ended = `${words(statuses[bars.status[bar]])}${attempt}`;
    tip.textContent = `${names[place]}\n${ended} · ${took} · from ${moment(bars.start[bar])}`;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 10);
    tip.style.transform = `translate(${Math.max(6, left)}px, ${event.clientY + 18}px)`;
  }
}

/** The last place in a sorted list whose value is not after a moment; -1 where there is none. */
function before(list, at, value = (each) => each) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value(list[middle]) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The next round step of an axis that is not smaller. */
function roundStep(least) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((step) => [step, step * 1e3]);
  const seconds = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  steps.push(...seconds.map((step) => step * 1e6));
  return steps.sort((one, other) => one - other).find((step) => step >= least) ?? Math.ceil(least / 864e8) * 864e8;
}

function tickText(at, step) {
  const seconds = Math.abs(at) / 1e6;
  const sign = at < 0 ? "−" : "";
  const two = (value) => String(value).padStart(2, "0");
  const digits = (unit) => Math.max(0, Math.ceil(Math.log10(unit / step)));
  if (step < 1e6 && seconds < 1) return seconds ? `${sign}${(seconds * 1e3).toFixed(digits(1e3))}ms` : "0";
  if (step < 1e6) return `${sign}${seconds.toFixed(digits(1e6))}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${sign}${whole}s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${sign}${hours}:${two(minutes)}:${two(whole % 60)}` : `${sign}${minutes}:${two(whole % 60)}`;
}
