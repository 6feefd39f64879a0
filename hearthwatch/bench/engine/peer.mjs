// The sustained rules as one would write them by hand in JavaScript: the same loop as plain.py.
//
// node peer.mjs PLAN COLUMNS: PLAN is JSON, COLUMNS the samples as Unix ms (float64), rows (int32), values (int16),
// one column after the other. Prints JSON: processor seconds of each pass (a fresh state each) and what was said.

import { readFileSync } from 'node:fs';

const IDLE = 0, PENDING = 1, ACTIVE = 2;
const KIND = { PENDING: 1, DISCARD: 2, RAISE: 3, CLEAR: 4 };
const EVERYTHING = 40000, NOTHING = -40000;

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { bucketMs, countMax, wellMax, neverMs, patients, passes } = plan;

class Ring {
  constructor(grain) {
    this.ms = grain.bucket_ms;
    this.slots = grain.slots;
    this.counts = new Uint8Array(this.slots);
    this.age = 0;
    this.passed = 0;
    this.bucket = Math.floor(neverMs / this.ms);
    this.slot = 0;
  }

  turn(t, count) {
    const now = Math.floor(t / this.ms);
    this.counts[this.slot] += count;
    this.passed = now - this.bucket;
    if (this.passed === 0) return;
    this.bucket = now;
    this.slot = now & (this.slots - 1);
    if (this.passed === 1) {
      this.counts[this.slot] = 0;
      this.age += 1;
    } else if (this.passed >= this.slots) {
      this.counts.fill(0);
      this.age = 0;
    } else {
      for (let back = 0; back < this.passed; back++) this.counts[(this.slot - back) & (this.slots - 1)] = 0;
      this.age += this.passed;
    }
  }
}

class Rule {
  constructor(rule, index, ring) {
    this.index = index;
    this.ring = ring;
    this.isLow = rule.low;
    this.breach = rule.breach;
    this.clearAt = rule.clear_at;
    this.window = rule.window;
    this.building = rule.building;
    this.share = rule.share;
    this.coverage = rule.coverage;
    this.clear = rule.clear;
    this.gap = rule.gap;
    this.below = new Uint8Array(ring.slots);
    this.held = false;
    this.phase = IDLE;
    this.summed = neverMs;
    this.well = this.belowSum = this.valid = this.buckets = this.recent = this.recentBelow = 0;
    this.covered = this.builds = false;
  }

  sayOfBreach(counted, count, end) {
    if (this.phase === ACTIVE) {
      this.well = 0;
      return 0;
    }
    if (this.summed !== end) this.sum(end);
    if (counted) {
      this.below[this.ring.slot] += 1;
      this.belowSum += 1;
      this.recentBelow += 1;
      this.held = true;
    }
    if (this.covered && this.belowSum * 100 >= this.share * (this.valid + count)) return KIND.RAISE;
    if (this.builds && this.phase === IDLE && this.recentBelow * 100 >= this.share * (this.recent + count)) return KIND.PENDING;
    return 0;
  }

  sayOfOther(value, count, end) {
    if (this.phase === ACTIVE) {
      if (this.isLow ? value < this.clearAt : value > this.clearAt) this.well = 0;
      else if (this.well > this.clear) return KIND.CLEAR;
      return 0;
    }
    if (this.summed !== end) this.sum(end);
    return this.recentBelow * 100 >= this.share * (this.recent + count) ? 0 : KIND.DISCARD;
  }

  event(kind, t, value, row, count, end) {
    this.sum(end);
    const { slots, ms, bucket } = this.ring;
    let since = t;
    for (let back = this.window; back >= 0; back--) {
      if (this.below[(bucket - back) & (slots - 1)] > 0) {
        since = Math.min(t, (bucket - back) * ms);
        break;
      }
    }
    const said = [row, this.index, kind, t, since, value, this.valid + count, this.belowSum, this.buckets];
    this.phase = kind === KIND.RAISE ? ACTIVE : kind === KIND.PENDING ? PENDING : IDLE;
    this.well = 0;
    if (kind === KIND.RAISE) {
      this.below.fill(0);
      this.held = false;
      this.summed = neverMs;
    }
    return said;
  }

  edge() {
    if (this.phase === IDLE) return this.breach;
    if (this.phase === PENDING) return this.isLow ? EVERYTHING : NOTHING;
    if (this.well > 0) return this.clearAt;
    return this.isLow ? NOTHING : EVERYTHING;
  }

  turn(tensPassed) {
    if (this.phase === ACTIVE) {
      this.well = tensPassed - 1 <= this.gap ? Math.min(wellMax, this.well + tensPassed) : 0;
    } else if (this.held && this.ring.passed > 0) {
      const { slot, slots, passed } = this.ring;
      for (let back = 0; back < Math.min(passed, slots); back++) this.below[(slot - back) & (slots - 1)] = 0;
      this.held = this.below.some((breaches) => breaches > 0);
    }
  }

  sum(end) {
    const { counts, slot, slots, age } = this.ring;
    this.valid = this.belowSum = this.recent = this.recentBelow = 0;
    this.buckets = 1;
    this.builds = this.building > 0;
    for (let back = 0; back <= this.window; back++) {
      const place = (slot - back) & (slots - 1);
      const count = counts[place], below = this.below[place];
      this.valid += count;
      this.belowSum += below;
      if (back > 0 && count > 0) this.buckets += 1;
      if (back < this.building) {
        this.recent += count;
        this.recentBelow += below;
        if (back > 0 && count === 0) this.builds = false;
      }
    }
    this.covered = age > this.window && this.buckets * 100 >= this.coverage * this.window;
    this.summed = end;
  }
}

class Patient {
  constructor() {
    const rings = new Map();
    this.rules = plan.rules.map((rule, index) => {
      if (!rings.has(rule.grain)) rings.set(rule.grain, new Ring(plan.grains[rule.grain]));
      return new Rule(rule, index, rings.get(rule.grain));
    });
    this.rings = [...rings.values()];
    this.last = neverMs;
    this.end = (Math.floor(neverMs / bucketMs) + 1) * bucketMs;
    this.count = 0;
    this.busy = false;
    this.low = this.high = 0;
    this.findBand();
  }

  judge(row, t, value, said) {
    if (t >= this.end) this.turnOver(t);
    this.last = t;
    this.count += 1;
    if (!this.busy && this.low <= value && value <= this.high) return;
    const counted = this.count <= countMax, count = counted ? this.count : countMax;
    let changed = false;
    for (const rule of this.rules) {
      let kind;
      if (rule.isLow ? value < rule.breach : value > rule.breach) kind = rule.sayOfBreach(counted, count, this.end);
      else if (rule.phase !== IDLE) kind = rule.sayOfOther(value, count, this.end);
      else continue;
      if (kind) said.push(rule.event(kind, t, value, row, count, this.end));
      changed = changed || kind !== 0 || rule.phase === ACTIVE;
    }
    this.busy = true;
    if (changed) this.findBand();
  }

  turnOver(t) {
    const count = Math.min(this.count, countMax);
    for (const ring of this.rings) ring.turn(t, count);
    if (this.busy) {
      const passed = Math.floor(t / bucketMs) - Math.floor(this.last / bucketMs);
      for (const rule of this.rules) rule.turn(passed);
      this.busy = this.rules.some((rule) => rule.held || rule.phase !== IDLE);
    }
    this.end = t - (t % bucketMs) + bucketMs;
    this.count = 0;
  }

  findBand() {
    this.low = NOTHING;
    this.high = EVERYTHING;
    for (const rule of this.rules) {
      if (rule.isLow) this.low = Math.max(this.low, rule.edge());
      else this.high = Math.min(this.high, rule.edge());
    }
  }
}

function judge(ward, rows, times, values) {
  const said = [];
  let late = 0;
  for (let i = 0; i < rows.length; i++) {
    const patient = ward[rows[i]], t = times[i], value = values[i];
    if (patient.low <= value && value <= patient.high && patient.last <= t && t < patient.end) {
      patient.last = t;
      patient.count += 1;
    } else if (t < patient.last) late += 1;
    else patient.judge(rows[i], t, value, said);
  }
  return { said, late };
}

const file = readFileSync(process.argv[3]);
const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
const times = new Float64Array(bytes, 0, plan.samples);
const rows = new Int32Array(bytes, plan.samples * 8, plan.samples);
const values = new Int16Array(bytes, plan.samples * 12, plan.samples);
const cpuS = [];
let found;
for (let pass = 0; pass < passes; pass++) {
  const ward = Array.from({ length: patients }, () => new Patient());
  const begun = process.cpuUsage();
  found = judge(ward, rows, times, values);
  const used = process.cpuUsage(begun);
  cpuS.push((used.user + used.system) / 1e6);
}
process.stdout.write(JSON.stringify({ cpu_s: cpuS, said: found.said, late: found.late }));
