// Graphite's HTTP API at the address that served the pages.

/** A request that gave no answer of use. status is 0 where there was no answer at all. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'Failure';
    this.status = status;
  }
}

const token = () => { try { return sessionStorage.getItem('token'); } catch { return null; } };

/** Keeps a token that is sent with each request until the browser's tab is closed. */
export function setToken(t) {
  try { sessionStorage.setItem('token', t); } catch { /* storage is off: asked for again */ }
}

/** Seconds by which the server's clock is ahead of the browser's. Ages are told by the server's. */
let ahead = 0;
export const serverNow = () => Date.now() / 1000 + ahead;

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token()) headers.set('Authorization', `Bearer ${token()}`);
  const patience = AbortSignal.timeout(30000);
  const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
  let r;
  try {
    r = await fetch(path, { ...options, headers, signal, cache: 'no-store', credentials: 'same-origin' });
  } catch (e) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw new Failure(0, e.name === 'TimeoutError' ? 'no answer within 30 s' : 'no connection');
  }
  const date = Date.parse(r.headers.get('Date'));
  if (date && Math.abs(date / 1000 - Date.now() / 1000) > 2) ahead = date / 1000 + 0.5 - Date.now() / 1000;
  else if (date) ahead = 0;
  if (!r.ok) throw new Failure(r.status, brief(await r.text().catch(() => ''), r));
  return r;
}

/** The first words of an error page, without markup. */
function brief(body, r) {
  const text = body.replace(/<(style|script|head)[^]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim();
  return `${r.status} ${text.slice(0, 240) || r.statusText}`;
}

async function json(path, options) {
  const r = await ask(path, options);
  try {
    return await r.json();
  } catch {
    throw new Failure(r.status, `${path.split('?')[0]}: the answer is no JSON`);
  }
}

/**
 * The series of some targets: [{name, start, step, values}], values with null where there is none. points is how many
 * points a series may have at most; 0 asks for all.
 */
export async function render(targets, { from, until, points = 0, signal } = {}) {
  if (targets.length === 0) return [];
  const body = new URLSearchParams();
  for (const t of targets) body.append('target', t);
  body.set('from', String(from));
  body.set('until', String(until));
  if (points) body.set('maxDataPoints', String(Math.max(1, Math.round(points))));
  body.set('format', 'json');
  const answer = await json('render', { method: 'POST', body, signal });
  return answer.map((s) => {
    const p = s.datapoints;
    const start = p.length ? p[0][1] : 0;
    const step = p.length > 1 ? p[1][1] - p[0][1] : 0;
    return { name: s.target, start, step, values: p.map((x) => x[0]) };
  });
}

/** The address of the same points as CSV or as a picture. */
export function renderLink(targets, { from, until, format }) {
  const q = new URLSearchParams();
  for (const t of targets) q.append('target', t);
  q.set('from', from);
  q.set('until', until);
  q.set('format', format);
  return `render?${q}`;
}

/** The same points as a file, fetched with the token where there is one. */
export async function csv(targets, { from, until }) {
  return (await ask(renderLink(targets, { from, until, format: 'csv' }))).blob();
}

/** What stands in the metric tree: [{name, path, leaf, branch}]. */
export async function find(query, { signal } = {}) {
  const found = new Map();
  for (const f of await json(`metrics/find?${new URLSearchParams({ query, format: 'treejson' })}`, { signal })) {
    const e = found.get(f.id) || { name: f.text, path: f.id, leaf: false, branch: false };
    if (f.leaf) e.leaf = true;
    if (f.expandable || f.allowChildren) e.branch = true;
    found.set(f.id, e);
  }
  return [...found.values()];
}

/** The paths that match a query. */
export async function expand(query, { signal } = {}) {
  return (await json(`metrics/expand?${new URLSearchParams({ query })}`, { signal })).results || [];
}

/** What is offered where Graphite does not list its functions: graphite-web 1.1.8 fails to on Python 3.11 and later. */
const usual = {
  Combine: ['sumSeries(*seriesLists)', 'averageSeries(*seriesLists)', 'maxSeries(*seriesLists)', 'minSeries(*seriesLists)', 'asPercent(seriesList)', 'groupByNode(seriesList, nodeNum, callback)', 'sumSeriesWithWildcards(seriesList, position)'],
  Transform: ['scale(seriesList, factor)', 'offset(seriesList, factor)', 'derivative(seriesList)', 'nonNegativeDerivative(seriesList)', 'perSecond(seriesList)', 'integral(seriesList)', 'summarize(seriesList, intervalString, func)', 'keepLastValue(seriesList)', 'timeShift(seriesList, timeShift)', 'absolute(seriesList)'],
  Calculate: ['movingAverage(seriesList, windowSize)', 'movingMedian(seriesList, windowSize)', 'nPercentile(seriesList, n)'],
  'Filter Series': ['highestCurrent(seriesList, n)', 'highestAverage(seriesList, n)', 'highestMax(seriesList, n)', 'exclude(seriesList, pattern)', 'grep(seriesList, pattern)', 'limit(seriesList, n)'],
  Alias: ['alias(seriesList, newName)', 'aliasByNode(seriesList, nodeNum)', 'aliasByMetric(seriesList)'],
  Special: ['consolidateBy(seriesList, consolidationFunc)', 'sortByMaxima(seriesList)'],
};

/** Graphite's functions: [{name, group, call, text}]. */
export async function functions({ signal } = {}) {
  let all;
  try {
    all = await json('functions', { signal });
  } catch (e) {
    if (!(e instanceof Failure) || e.status === 0) throw e;
    return Object.entries(usual).flatMap(([group, calls]) => calls.map((call) => ({ name: call.split('(')[0], group, call, text: '' })));
  }
  return Object.values(all).map((f) => ({ name: f.name, group: f.group || 'Other', call: f.function || `${f.name}(seriesList)`, text: (f.description || '').split('\n')[0] }))
    .filter((f) => f.name).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What was noted in the time: [{when, what}]. A Graphite that has no events gives none. */
export async function events({ from, until, signal } = {}) {
  try {
    return (await json(`events/get_data?${new URLSearchParams({ from, until })}`, { signal })).map((e) => ({ when: e.when, what: e.what || '' }));
  } catch (e) {
    if (e instanceof Failure) return [];
    throw e;
  }
}
