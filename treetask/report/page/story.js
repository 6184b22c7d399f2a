// What a run was, in columns, and what follows from them. Knows no elements.

const FAILURES = new Set(["failed", "timed_out"]);

const LEVELS = 10; // of a path that are named

class Story {
  /** Takes the JSON of the page; every time in it is in microseconds since the run began. */
  constructor(known) {
    Object.assign(this, {
      name: known.name, run: known.run, target: known.target, wall: known.wall, elapsed: known.elapsed,
      statuses: known.statuses, counts: known.counts, faults: known.faults, failures: known.failures,
      failuresLeftOut: known.failures_left_out, path: known.path, pathLeftOut: known.path_left_out,
      slowest: known.slowest, kinds: known.kinds, log: known.log, folder: known.folder, details: known.details,
    });
    this.status = this.statuses[known.status];
    this.size = known.nodes.name.length;
    this.names = known.nodes.name;
    this.start = Float64Array.from(known.nodes.start, (at) => at ?? NaN);
    this.end = Float64Array.from(known.nodes.end, (at) => at ?? NaN);
    this.parent = Int32Array.from(known.nodes.parent);
    this.attempts = Int32Array.from(known.nodes.attempts);
    this.bodies = Uint8Array.from(known.nodes.body);
    this._statuses = Uint8Array.from(known.nodes.status);
    this._ids = known.nodes.id;
    this._isFailure = this.statuses.map((status) => FAILURES.has(status));
    this.bars = {};
    for (const [name, column] of Object.entries(known.bars)) this.bars[name] = Float64Array.from(column);
    this._relate();
    this._measure();
  }

  /** Find the children of each node: the first one, and of each the next. */
  _relate() {
    this.first = new Int32Array(this.size).fill(-1);
    this.next = new Int32Array(this.size).fill(-1);
    this.childCount = new Int32Array(this.size);
    const last = new Int32Array(this.size).fill(-1);
    for (let place = 1; place < this.size; place++) {
      const parent = this.parent[place];
      if (last[parent] < 0) this.first[parent] = place;
      else this.next[last[parent]] = place;
      last[parent] = place;
      this.childCount[parent]++;
    }
  }

  /** Count what is below each node, and what of it failed: parents come first, so from the end. */
  _measure() {
    this.below = new Int32Array(this.size);
    this.failedBelow = new Int32Array(this.size);
    this.openBelow = new Int32Array(this.size);
    this.from = 0;
    this.to = Math.max(this.elapsed, 1);
    for (let place = this.size - 1; place >= 0; place--) {
      if (this.start[place] < this.from) this.from = this.start[place];
      if (this.end[place] > this.to) this.to = this.end[place];
      const parent = this.parent[place];
      if (parent < 0) continue;
      const status = this.statusOf(place);
      this.below[parent] += this.below[place] + 1;
      this.failedBelow[parent] += this.failedBelow[place] + (this.isOwnFailure(place) ? 1 : 0);
      this.openBelow[parent] += this.openBelow[place] + (status === "working" || status === "retrying" ? 1 : 0);
    }
  }

  statusOf(place) { return this.statuses[this._statuses[place]]; }
  isFailure(place) { return this._isFailure[this._statuses[place]]; }
  isOwnFailure(place) { return this.isFailure(place) && !this.details[place]?.below; }
  detailsOf(place) { return this.details[place] ?? {}; }
  took(place) { return this.end[place] - this.start[place]; }
  hasBegun(place) { return !Number.isNaN(this.start[place]); }

  /** The id of a node: told, or its parent's and its name. */
  idOf(place) {
    const names = [];
    for (let at = place; at >= 0; at = this.parent[at]) {
      if (this._ids[at] !== undefined) { names.push(this._ids[at]); break; }
      names.push(this.names[at]);
    }
    return names.reverse().join("/");
  }

  /** The names of what holds a node, from the root down; the middle of a very deep path is counted. */
  crumbs(place) {
    const names = [];
    for (let at = this.parent[place]; at >= 0; at = this.parent[at]) names.push(this.names[at]);
    names.reverse();
    const hidden = names.length - LEVELS;
    if (hidden > 1) names.splice(LEVELS / 2, hidden, `… ${count(hidden)} levels`);
    return names;
  }

  /** The places of what waited for a node. */
  dependents(place) {
    this._dependents ??= this._findDependents();
    return this._dependents.get(place) ?? [];
  }

  _findDependents() {
    const found = new Map();
    for (const [place, known] of Object.entries(this.details)) {
      for (const needed of known.needs ?? []) {
        if (!found.has(needed)) found.set(needed, []);
        found.get(needed).push(Number(place));
      }
    }
    return found;
  }
}

// -- words ------------------------------------------------------------------------------------------------------------

const NUMBERS = new Intl.NumberFormat("en");
const count = (value) => NUMBERS.format(value);
const counted = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
const words = (status) => status.replaceAll("_", " ");

/** A time as people say it: 0.4ms, 38ms, 1.2s, 1m 12s, 3h 05m, 2d 03h. */
function duration(micros) {
  if (!Number.isFinite(micros)) return "";
  const seconds = Math.max(0, micros) / 1e6;
  if (seconds === 0) return "0s";
  if (seconds < 0.00995) return `${(seconds * 1e3).toFixed(1)}ms`;
  if (seconds < 0.9995) return `${(seconds * 1e3).toFixed(0)}ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const minutes = Math.floor(whole / 60) % 60;
  const two = (value) => String(value).padStart(2, "0");
  if (days) return `${count(days)}d ${two(hours)}h`;
  return hours ? `${hours}h ${two(minutes)}m` : `${minutes}m ${two(whole % 60)}s`;
}

/** A moment of the run: how long after its beginning. */
const moment = (micros) => (micros < 0 ? `−${duration(-micros)}` : `+${duration(micros)}`);
