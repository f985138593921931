// What the pages show stands in their address: a link opened elsewhere shows the same.
//
//   partition?cluster=hpc1&partition=gpu&from=-6h&refresh=30

export const PAGES = [
  { id: 'overview', path: './', title: 'Overview' },
  { id: 'partition', path: 'partition', title: 'Partitions' },
  { id: 'nodes', path: 'nodes', title: 'Nodes' },
  { id: 'hosts', path: 'hosts', title: 'Hosts' },
  { id: 'explore', path: 'explore', title: 'Explore' },
  { id: 'agent', path: 'agent', title: 'Agent' },
];

export const DEFAULTS = { from: '-6h', until: 'now', refresh: '30' };

/** Parameters that go along from page to page. */
const shared = ['cluster', 'from', 'until', 'refresh'];

/** The page and the parameters of an address: {page, get(name), all(name)}. */
export function read(location = window.location) {
  const query = new URLSearchParams(location.search);
  const last = location.pathname.split('/').pop();
  const page = PAGES.find((p) => p.path === last) || PAGES[0];
  return {
    page,
    get: (name) => query.get(name) ?? DEFAULTS[name] ?? '',
    all: (name) => query.getAll(name),
    query,
  };
}

/** The link to a page: what is shared stays, changes are set (null, '' or the default: left out). Lists repeat. */
export function link(pageID, changes = {}, from = read()) {
  const page = PAGES.find((p) => p.id === pageID) || from.page;
  const next = new URLSearchParams();
  for (const [k, v] of from.query) {
    if (page.id === from.page.id || shared.includes(k)) next.append(k, v);
  }
  for (const [k, v] of Object.entries(changes)) {
    next.delete(k);
    for (const one of Array.isArray(v) ? v : [v]) {
      if (one !== null && one !== undefined && one !== '' && one !== DEFAULTS[k]) next.append(k, one);
    }
  }
  // Graphite's own characters stay readable in the address.
  const text = next.toString().replace(/%2A/gi, '*').replace(/%2C/gi, ',').replace(/%28/g, '(').replace(/%29/g, ')');
  return page.path + (text ? `?${text}` : '');
}

const listeners = new Set();

/** Calls f after each change of the address. */
export function onChange(f) {
  listeners.add(f);
}

/** Goes to an address as link makes it. A replaced one leaves no step in the browser's history. */
export function go(href, { replace = false } = {}) {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  for (const f of listeners) f();
}

/** Makes links within the pages change the address without loading a document, and follows back and forward. */
export function start() {
  window.addEventListener('popstate', () => { for (const f of listeners) f(); });
  document.addEventListener('click', (e) => {
    const a = e.target.closest('a[data-page]');
    if (!a || e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    e.preventDefault();
    go(a.getAttribute('href'));
  });
}

const units = { s: 1, sec: 1, seconds: 1, min: 60, minutes: 60, h: 3600, hours: 3600, d: 86400, days: 86400, w: 604800, weeks: 604800, mon: 2592000, y: 31536000 };

/** A time as Graphite writes it, in seconds of the epoch: "now", "-6h", "1763600000". NaN where it is neither. */
export function moment(text, now) {
  if (text === 'now' || text === '') return now;
  if (/^\d+$/.test(text)) return Number(text);
  const m = /^(?:now)?-(\d+)([a-z]+)$/.exec(text);
  return m && units[m[2]] ? now - Number(m[1]) * units[m[2]] : NaN;
}

/** The time range of an address: {from, until, live, start, end, length}; start and end in seconds of the epoch. */
export function range(address, now) {
  let from = address.get('from');
  let until = address.get('until');
  let start = moment(from, now);
  let end = moment(until, now);
  if (!(end > start)) { // nonsense in the address: the usual range
    ({ from, until } = DEFAULTS);
    start = moment(from, now);
    end = now;
  }
  return { from, until, live: until === 'now', start, end, length: end - start };
}
