// What a page has read: the last minutes point by point, for the numbers of now, and the whole range, for its charts.

/** Numbers of now are looked for in so many seconds before the end of the range. */
export const RECENT = 300;

/** How old a last point may be before it is called stale: three steps and some for the way, at least 45 s. */
export const patience = (step) => Math.max(45, 3 * step + 15);

/** The last point of a series that is there: {value, time}, or null. */
export function lastPoint(series) {
  if (!series) return null;
  for (let i = series.values.length - 1; i >= 0; i--) {
    if (series.values[i] !== null) return { value: series.values[i], time: series.start + i * series.step };
  }
  return null;
}

const has = (s) => s.values.some((v) => v !== null);

/**
 * Where the last minutes have no point of the cluster but the range has: the series that had one last, and the point's
 * {name, time, step}. Otherwise null. What the agent says of itself does not count: it goes on while slurmctld is silent.
 */
export function lastSeen(now, past) {
  const others = (list) => list.filter((s) => !s.name.includes('.agent.'));
  if (others(now).some(has)) return null;
  let last = null;
  for (const s of others(past)) {
    const p = lastPoint(s);
    if (p && (last === null || p.time > last.time)) last = { name: s.name, time: p.time, step: s.step };
  }
  return last;
}

export class Data {
  /**
   * now, past: lists of series as graphite.render gives them; before: what now was when there were last points, where
   * there are none; end: the time that counts as now, in seconds.
   */
  constructor({ now = [], before = [], past = [], end, range }) {
    this.now = new Map(now.map((s) => [s.name, s]));
    this.before = new Map(before.map((s) => [s.name, s]));
    this.past = new Map(past.map((s) => [s.name, s]));
    this.end = end;
    this.range = range;
  }

  /**
   * The last value of a path: {value, time, stale}. A stale one is the last that was known, and is older than a few steps.
   * null where the range has none at all.
   */
  reading(path) {
    const recent = this.now.get(path);
    let p = lastPoint(recent);
    let step = recent?.step || 10;
    if (!p) {
      p = lastPoint(this.before.get(path)) || lastPoint(this.past.get(path));
      return p ? { ...p, stale: true } : null;
    }
    if (recent.values.length < 2) step = 60;
    return { ...p, stale: this.end - p.time > patience(step) };
  }

  /** The value of a path alone: fresh or the last known; null where there is none. */
  value(path) {
    return this.reading(path)?.value ?? null;
  }

  /**
   * The elements that stand for the star in a pattern like "hpc1.partition.*.jobs.running", sorted by no one: {name, path}.
   * Of what the range knows and of what the last minutes know.
   */
  match(pattern) {
    const [head, tail] = pattern.split('*');
    const found = new Map();
    for (const path of [...this.now.keys(), ...this.before.keys(), ...this.past.keys()]) {
      if (!path.startsWith(head) || !path.endsWith(tail) || path.length <= head.length + tail.length) continue;
      const name = path.slice(head.length, path.length - tail.length);
      if (!name.includes('.')) found.set(name, path);
    }
    return [...found].map(([name, path]) => ({ name, path }));
  }

  /** The readings of the pattern's paths: [{name, path, value, time, stale}], those without any value left out. */
  readings(pattern) {
    return this.match(pattern).map((m) => ({ ...m, ...this.reading(m.path) })).filter((r) => r.value !== undefined);
  }

  /** A line of a chart for a path: {label, series, last, colour}. */
  line(path, label, ink = null) {
    return { label, colour: ink, series: this.series(path), last: this.reading(path) };
  }

  /** The range's series of a path, or null where none of it has a value. */
  series(path) {
    const s = this.past.get(path);
    return s && s.values.some((v) => v !== null) ? s : null;
  }
}

/**
 * Series on one line of times: {times, columns}. Graphite answers series of one retention with equal times; others are
 * put at the nearest earlier time of the finest one, and a coarse point stands until its step is over.
 */
export function align(series) {
  const some = series.filter((s) => s && s.values.length > 0);
  if (some.length === 0) return { times: [], columns: series.map(() => []) };
  const finest = some.reduce((a, b) => ((b.step || Infinity) < (a.step || Infinity) ? b : a));
  const step = finest.step || 60;
  const start = Math.min(...some.map((s) => s.start));
  const end = Math.max(...some.map((s) => s.start + (s.values.length - 1) * (s.step || step)));
  const n = Math.min(20000, Math.floor((end - start) / step) + 1);
  const times = Array.from({ length: n }, (_, i) => start + i * step);
  const columns = series.map((s) => {
    if (!s) return times.map(() => null);
    if (s.start === start && (s.step === step || s.values.length === 1) && s.values.length === n) return s.values;
    return times.map((t) => s.values[Math.floor((t - s.start) / (s.step || step))] ?? null);
  });
  return { times, columns };
}

/** Adds columns point by point. A time at which none has a value has none in the sum either. */
export function sum(columns) {
  if (columns.length === 0) return [];
  return columns[0].map((_, i) => {
    let total = null;
    for (const c of columns) if (c[i] !== null && c[i] !== undefined) total = (total ?? 0) + c[i];
    return total;
  });
}
