// The frame of the pages: it reads the address, asks for what the page wants, shows it, and asks again.

import { PAGES, go, link, onChange, range, read, start } from './address.js';
import { Data, RECENT, lastPoint, lastSeen } from './data.js';
import { Failure, expand, render, serverNow, setToken } from './graphite.js';
import { Banner, Health, healthTargets } from './health.js';
import { controls } from './controls.js';
import { clockSeconds, natural } from './format.js';
import { h, replace, say } from './dom.js';
import { agent } from './pages/agent.js';
import { explore } from './pages/explore.js';
import { hosts } from './pages/hosts.js';
import { nodes } from './pages/nodes.js';
import { overview } from './pages/overview.js';
import { partition } from './pages/partition.js';

const builders = { overview, partition, nodes, hosts, explore, agent };
const main = document.getElementById('main');
const banner = new Banner(document.getElementById('status'));
const health = new Health();

let clusters = [];
let page = null; // {key, targets, update, destroy}
let key = '';
let reading = null; // AbortController of the request under way
let timer = 0;
let lost = null; // since when the database has not answered: {time, text}
let lastRead = 0;

/** The clusters that the metric tree holds: what has an agent, or the jobs_num of an agent of the first kind. */
async function findClusters(signal) {
  const found = new Set();
  const look = async (queries) => {
    for (const paths of await Promise.all(queries.map((q) => expand(q, { signal })))) for (const p of paths) found.add(p.replace(/\.(agent|jobs\.total)$/, ''));
  };
  await look(['*.agent', '*.*.agent', '*.jobs.total']);
  if (found.size === 0) await look(['*.*.*.agent']); // deep stars are dear on a large Graphite
  if (found.size === 0) for (const path of await expand('*.*.jobs_num', { signal })) found.add(path.split('.').slice(0, -2).join('.'));
  found.delete('carbon');
  return [...found].sort(natural);
}

function navigation(address) {
  replace(document.getElementById('pages'), PAGES.map((p) => h('li', null, h('a', {
    href: link(p.id, {}, address), 'data-page': p.id, 'aria-current': p.id === address.page.id ? 'page' : null,
  }, p.title))));
  document.querySelector('.brand').setAttribute('href', link('overview', {}, address));
}

/** Builds the page of the address where it is another than the one shown. */
async function build(address, signal) {
  if (clusters.length === 0) clusters = await findClusters(signal);
  const cluster = address.get('cluster') || clusters[0] || '';
  navigation(address);
  controls(document.getElementById('controls'), clusters, cluster);
  const own = [...address.query].filter(([k]) => !['from', 'until', 'refresh'].includes(k));
  const next = JSON.stringify([address.page.id, cluster, own]);
  if (page && next === key) return;
  const context = { cluster, clusters, address, zoom: (a, b) => go(link(null, { from: String(a), until: String(b) })), reload: () => run(), signal };
  const kept = page?.keep?.(context);
  if (kept) {
    key = next;
    return;
  }
  page?.destroy?.();
  page = cluster || address.page.id === 'explore' ? builders[address.page.id](context) : noCluster();
  key = next;
  replace(main, h('h1', { class: 'unseen' }, address.page.title), page.element);
  document.title = `${page.title || address.page.title}${cluster ? ` · ${cluster}` : ''} · clusterload`;
}

function noCluster() {
  clusters = [];
  return { element: h('section', { class: 'first' }, h('h2', null, 'No cluster yet'),
    h('p', null, 'This Graphite holds no metrics of a clusterload agent. Once an agent has sent its first points, about one interval after it was started, they show here.'),
    h('pre', null, '[database.graphite]\naddress = "this machine"\nport    = 2003')), targets: () => ({}), update: () => {} };
}

/** Asks for the page's data and shows it. What is shown stays where the database gives no answer. */
async function run() {
  clearTimeout(timer);
  reading?.abort();
  const abort = new AbortController();
  reading = abort;
  const address = read();
  try {
    document.body.classList.add('reading');
    await build(address, abort.signal);
    const r = range(address, serverNow());
    const data = await load(address, r, abort.signal);
    if (abort.signal.aborted) return;
    lost = null;
    lastRead = serverNow();
    document.body.classList.remove('lost');
    await page.update(data, abort.signal);
    const cluster = address.get('cluster') || clusters[0];
    const faults = cluster ? await health.faults(data, cluster, abort.signal) : [];
    banner.show(r.live ? faults : faults.map((f) => ({ ...f, level: 'warn' })));
    say(document.getElementById('read'), `Read at ${clockSeconds(lastRead, lastRead)}`);
    document.body.dataset.state = 'read';
    document.body.dataset.reads = String(Number(document.body.dataset.reads || 0) + 1);
    if (page.element.dataset.empty === 'cluster') clusters = [];
    schedule(address, r);
  } catch (e) {
    if (abort.signal.aborted) return;
    fail(e);
  } finally {
    if (reading === abort) document.body.classList.remove('reading');
  }
}

async function load(address, r, signal) {
  const { now = [], past = [], raw = null } = page.targets(r) || {};
  const cluster = address.get('cluster') || clusters[0];
  const both = cluster ? [...new Set([...now, ...healthTargets(cluster)])] : now;
  const points = Math.min(800, Math.max(160, Math.round(main.clientWidth / (main.clientWidth > 900 ? 2.4 : 1.2))));
  const end = Math.floor(r.end);
  const [recent, whole] = await Promise.all([
    render(both, { from: end - RECENT, until: r.live ? 'now' : end, signal }),
    render([...new Set([...past, ...(cluster ? healthTargets(cluster).slice(0, 2) : [])])], { from: raw ? end - raw : Math.floor(r.start), until: r.live ? 'now' : end, points, signal }),
  ]);
  const before = await lastKnown(now, lastSeen(recent, whole), signal);
  return new Data({ before, now: recent, past: whole, end: r.live ? serverNow() : r.end, range: range(address, serverNow()) });
}

/** What the targets of now gave when the cluster was last seen, if it is not seen now. */
async function lastKnown(now, seen, signal) {
  if (!seen) return [];
  let { time } = seen;
  if (seen.step > 60) { // a mean of many points: the last of them is looked for
    const [fine] = await render([seen.name], { from: time - 1, until: time + seen.step, signal });
    time = lastPoint(fine)?.time ?? time;
  }
  return render(now, { from: time - RECENT, until: time, signal });
}

function schedule(address, r) {
  const every = Number(address.get('refresh')) || (address.get('refresh') === 'off' ? 0 : 30);
  if (!r.live || !every || document.hidden) return;
  timer = setTimeout(run, every * 1000);
}

/** Says what went wrong and asks again soon: a database that returns is seen within seconds. */
function fail(e) {
  document.body.dataset.state = 'failed';
  if (!(e instanceof Failure)) {
    console.error(e);
    banner.show([{ level: 'bad', text: `This page has failed: ${e.message}` }]);
    return;
  }
  if (e.status === 401 || e.status === 403) {
    askToken();
    return;
  }
  if (e.status >= 400 && e.status < 500) {
    banner.show([{ level: 'bad', text: `Graphite refuses the question: ${e.message}` }]);
    timer = setTimeout(run, 30000);
    return;
  }
  lost ??= { time: lastRead || null };
  document.body.classList.add('lost');
  const since = lost.time ? `since ${clockSeconds(lost.time, serverNow())}` : 'yet';
  banner.show([{ level: 'bad', text: `The database has not answered ${since} (${e.message}). ${lost.time ? 'What is shown was read then. ' : ''}Asking again every few seconds.` }]);
  if (!page) replace(main, h('section', { class: 'first' }, h('h2', null, 'No answer'), h('p', null, 'Graphite does not answer. The page shows itself as soon as it does.')));
  timer = setTimeout(run, 4000);
}

function askToken() {
  const input = h('input', { type: 'password', name: 'token', autocomplete: 'current-password', required: true });
  banner.show([]);
  page?.destroy?.();
  page = null;
  replace(main, h('form', { class: 'first', onsubmit: (e) => { e.preventDefault(); setToken(input.value.trim()); run(); } },
    h('h2', null, 'A token, please'), h('p', null, 'This database is read with a token. It stays in this tab until the tab is closed.'),
    h('label', null, 'Token', input), h('button', { type: 'submit', class: 'main' }, 'Open')));
  input.focus();
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) run(); });
onChange(() => run());
say(document.getElementById('zone'), `Times are in ${Intl.DateTimeFormat().resolvedOptions().timeZone}`);
start();
run();
