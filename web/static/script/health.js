// What is wrong with the data itself: a database that does not answer, an agent that is silent, a slurmctld that gives no
// answer, points that wait. Each with since when.

import { lastPoint, patience } from './data.js';
import { clock, seconds } from './format.js';
import { h, replace } from './dom.js';
import { render, serverNow } from './graphite.js';
import { COMMANDS } from './slurm.js';

/** What is asked for on every page. */
export const healthTargets = (cluster) => [
  `${cluster}.agent.command.*.ok`, `${cluster}.agent.database.*.ok`, `${cluster}.agent.queue.*.oldest_seconds`,
  `${cluster}.agent.interval_seconds`, `${cluster}.agent.aggregator.*.ok`,
];

/** Points that wait longer than this in a queue are told of, in seconds. */
const LATE = 180;

/**
 * The time since when a path has had no value that is wanted: its last such time, in seconds, or null where the last month
 * has none. It looks at ever longer times, then closely at the place found.
 */
async function lastTime(path, end, wanted, signal) {
  for (const back of [3600, 86400, 30 * 86400]) {
    const from = Math.floor(end - back);
    const [s] = await render([`consolidateBy(${path},"max")`], { from, until: Math.floor(end), points: 720, signal });
    if (!s) continue;
    for (let i = s.values.length - 1; i >= 0; i--) {
      if (s.values[i] === null || !wanted(s.values[i])) continue;
      const at = s.start + i * s.step;
      if (s.step <= 60) return at;
      const [fine] = await render([path], { from: at - 1, until: at + s.step, signal });
      for (let k = (fine?.values.length ?? 0) - 1; k >= 0; k--) {
        if (fine.values[k] !== null && wanted(fine.values[k])) return fine.start + k * fine.step;
      }
      return at;
    }
  }
  return null;
}

/** Keeps what was found about a fault until it is over: it is searched for once. */
export class Health {
  constructor() {
    this.known = new Map();
  }

  async since(key, path, end, wanted, signal) {
    if (!this.known.has(key)) this.known.set(key, await lastTime(path, end, wanted, signal));
    return this.known.get(key);
  }

  /** The faults that the data shows: [{level, text}], the worst first. */
  async faults(data, cluster, signal) {
    const found = [];
    const seen = new Set();
    const note = async (fault, level, path, wanted, text) => {
      const key = `${fault} ${path} ${data.range.until}`; // of this cluster, and of the end that is looked at
      seen.add(key);
      const t = await this.since(key, path, data.end, wanted, signal);
      found.push({ level, text: text(t === null ? 'for longer than 30 days' : `since ${clock(t, data.end)}`) });
    };
    const agent = data.readings(`${cluster}.agent.aggregator.*.ok`).concat(data.readings(`${cluster}.agent.command.*.ok`));
    const heard = agent.filter((r) => !r.stale);
    if (agent.length > 0 && heard.length === 0) {
      const newest = agent.reduce((a, b) => (b.time > a.time ? b : a));
      await note('agent', 'bad', newest.path, () => true, (t) => `The agent of ${cluster} has sent nothing ${t}.`);
    } else {
      await this.commands(data.readings(`${cluster}.agent.command.*.ok`).filter((r) => !r.stale && r.value === 0), note);
    }
    for (const r of data.readings(`${cluster}.agent.database.*.ok`).filter((x) => !x.stale && x.value === 0)) {
      await note(`database ${r.name}`, 'warn', r.path, (v) => v > 0, (t) => `The database “${r.name}” has taken nothing ${t}; the agent's queue keeps the points.`);
    }
    for (const r of data.readings(`${cluster}.agent.queue.*.oldest_seconds`).filter((x) => !x.stale && x.value > LATE)) {
      found.push({ level: 'warn', text: `Points for the database “${r.name}” wait in the agent's queue, the oldest ${seconds(r.value)}.` });
    }
    for (const key of this.known.keys()) if (!seen.has(key)) this.known.delete(key);
    return found;
  }

  async commands(failing, note) {
    const byProgram = new Map();
    for (const r of failing) {
      const asks = COMMANDS[r.name]?.asks || r.name;
      byProgram.set(asks, [...(byProgram.get(asks) || []), r]);
    }
    for (const [asks, rows] of byProgram) {
      const names = rows.map((r) => COMMANDS[r.name]?.program || r.name).join(', ');
      await note(`command ${rows.map((r) => r.name).join()}`, 'bad', rows[0].path, (v) => v > 0, (t) =>
        (rows.length > 1 || !COMMANDS[rows[0].name] ? `${asks} has not answered ${t} (${names}).` : `${names} has failed ${t}: no answer of ${asks}.`));
    }
  }
}

/** The banner below the head: faults of the data, and of the reading of it. */
export class Banner {
  constructor(element) {
    this.element = element;
    this.text = '';
  }

  show(faults) {
    const text = faults.map((f) => `${f.level}:${f.text}`).join('\n');
    if (text === this.text) return; // nothing is announced twice
    this.text = text;
    replace(this.element, faults.map((f) => h('p', { class: f.level }, h('i', { 'aria-hidden': 'true' }, f.level === 'bad' ? '!' : 'i'), f.text)));
  }
}

/** Whether a list of series has a point that is fresh at the end of the range. */
export function fresh(series, end = serverNow()) {
  return series.some((s) => {
    const p = lastPoint(s);
    return p && end - p.time <= patience(s.step);
  });
}
