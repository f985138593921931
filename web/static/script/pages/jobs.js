// Panels about waiting jobs that a cluster and a partition have alike.

import { Chart } from '../chart.js';
import { SECONDS, count, seconds, words } from '../format.js';
import { h, replace } from '../dom.js';
import { empty, figure, panel, ranking } from '../parts.js';

const NAMES = { qos_max_jobs_per_user_limit: 'QOS: jobs per user', assoc_grp_cpu_limit: 'Account: group CPU limit', req_node_not_avail: 'Required node not available',
  nodes_down_or_reserved: 'Nodes down or reserved', job_held_user: 'Held by its user', job_held_admin: 'Held by an admin', job_array_task_limit: 'Array task limit', begin_time: 'Begin time not reached' };

/** Why jobs wait. prefix is "hpc1." or "hpc1.partition.gpu.". */
export function reasonsPanel(prefix, wide = 4) {
  const p = panel('Pending by reason', { wide });
  const path = `${prefix}jobs.pending.reason.*`;
  return {
    ...p, now: [`${path}.jobs`], past: [],
    update(data) {
      const all = data.readings(`${path}.jobs`);
      const rows = all.filter((r) => r.value > 0).map((r) => ({ key: r.name, name: NAMES[r.name] || words(r.name), title: r.name, value: r.value, stale: r.stale }));
      if (rows.length) replace(p.body, h('p', { class: 'what' }, 'jobs'), ranking(rows, { caption: 'Pending jobs by reason', columns: ['Reason', 'Jobs'], most: 10, format: count }));
      else replace(p.body, all.length ? h('p', { class: 'empty' }, 'No job waits.') : empty('the agent sends no reasons.'));
    },
  };
}

/** How long jobs have waited. */
export function waitPanel(prefix, zoom, wide = 6) {
  const chart = new Chart({ title: 'Wait of pending jobs', unit: SECONDS, height: 150, zoom });
  const facts = h('dl', { class: 'facts-list' });
  const p = panel('Wait times', { wide }, facts, chart.element);
  const path = (q) => `${prefix}jobs.pending.wait_seconds.${q}`;
  return {
    ...p, chart, now: [path('{p50,p90,p99,max,mean}')], past: [path('{p50,p90}')],
    update(data) {
      const known = [['p50', 'Median'], ['p90', '90% wait less than'], ['max', 'Longest']].filter(([q]) => data.reading(path(q)));
      replace(facts, known.map(([q, title]) => h('div', null, h('dt', null, title), h('dd', null, figure(data.reading(path(q)), seconds, data.end)))));
      chart.set([['p90', '90%'], ['p50', 'median']].map(([q, label]) => data.line(path(q), label)), data.range, 'No data: this agent does not measure how long jobs wait.');
    },
  };
}
