// What Slurm's metrics mean to the pages: the states of nodes, the names of commands.

import { align } from './data.js';

/** The states of a stacked bar, from the busiest to the worst: [kind, label]. */
export const STATES = [['allocated', 'allocated'], ['mixed', 'mixed'], ['idle', 'idle'], ['drained', 'drained'], ['down', 'down'], ['other', 'other']];

/** The metrics that nodeStates reads, below a prefix such as "hpc1." or "hpc1.partition.gpu.". */
export const STATE_TARGET = 'nodes.{allocated,mixed,idle,down,error,future,unknown,drained,draining,available,total}';

/**
 * Divides nodes into disjoint parts that add up to the total. Slurm's drained nodes count as idle or down in the base
 * states too: here a node that takes no work, and has none, is drained, whatever its base but down; one that is draining
 * still works and stays allocated or mixed.
 */
function divide(v) {
  const down = v.down + v.error;
  const other = v.unknown + v.future;
  const drained = Math.max(0, v.total - v.available - down - other - v.draining);
  const idle = Math.max(0, v.total - v.allocated - v.mixed - drained - down - other);
  return { allocated: v.allocated, mixed: v.mixed, idle, drained, down, other };
}

const needed = ['total', 'available', 'allocated', 'mixed', 'down'];
const optional = ['error', 'future', 'unknown', 'draining'];

/** The nodes of a prefix now: {parts: [{kind, label, value}], total, time, stale, out, draining}, or null. */
export function nodeStates(data, prefix) {
  const v = {};
  let time = Infinity;
  let stale = false;
  for (const name of [...needed, ...optional]) {
    const r = data.reading(`${prefix}nodes.${name}`);
    if (!r) {
      if (needed.includes(name)) return null;
      v[name] = 0;
      continue;
    }
    v[name] = r.value;
    if (needed.includes(name)) {
      time = Math.min(time, r.time);
      stale ||= r.stale;
    }
  }
  const d = divide(v);
  return { parts: STATES.map(([kind, label]) => ({ kind, label, value: d[kind] })), total: v.total, draining: v.draining, time, stale, out: d.drained + d.down, ...d };
}

/** The same over the range: series for a stack, the worst on top. */
export function nodeHistory(data, prefix) {
  const all = [...needed, ...optional].map((n) => data.series(`${prefix}nodes.${n}`));
  if (all.slice(0, needed.length).some((s) => !s)) return [];
  const { times, columns } = align(all);
  const step = times.length > 1 ? times[1] - times[0] : 0;
  const parts = Object.fromEntries(STATES.map(([kind]) => [kind, []]));
  times.forEach((_, i) => {
    const v = {};
    let known = true;
    [...needed, ...optional].forEach((name, k) => {
      v[name] = columns[k][i] ?? (k < needed.length ? null : 0);
      if (v[name] === null) known = false;
    });
    const d = known ? divide(v) : null;
    for (const [kind] of STATES) parts[kind].push(d ? d[kind] : null);
  });
  const now = nodeStates(data, prefix);
  return STATES.filter(([kind]) => kind !== 'other' || parts.other.some((v) => v > 0)).map(([kind, label]) => ({
    label, colour: `--${kind}`, last: now && { value: now[kind], stale: now.stale }, series: { name: kind, start: times[0] ?? 0, step, values: parts[kind] },
  })).reverse();
}

/** The programs behind the names of the agent's commands. */
export const COMMANDS = {
  queue: { program: 'squeue', asks: 'slurmctld' },
  nodes: { program: 'scontrol show nodes', asks: 'slurmctld' },
  partitions: { program: 'sinfo', asks: 'slurmctld' },
  scheduler: { program: 'sdiag', asks: 'slurmctld' },
  finished: { program: 'sacct', asks: 'slurmdbd' },
  shares: { program: 'sshare', asks: 'slurmdbd' },
};

/** The codes of node.{node}.state_code: [name, kind of colour]. */
export const CODES = [['unknown', 'other'], ['idle', 'idle'], ['mixed', 'mixed'], ['allocated', 'allocated'], ['draining', 'draining'],
  ['drained', 'drained'], ['failing', 'drained'], ['down', 'down'], ['error', 'down'], ['future', 'other']];
