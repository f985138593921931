package web

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// grouped writes a whole number as the pages do: 12,345.
func grouped(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// past is a range that is over: what it shows is settled.
func past(now time.Time) (query string, end int64) {
	end = now.Unix()/10*10 - 600
	return fmt.Sprintf("from=%d&until=%d", end-6*3600, end), end
}

// every page, with what it needs to show something.
var everyPage = map[string]string{
	"overview": "/?", "partition": "/partition?partition=gpu&", "nodes": "/nodes?by=load&node=gpu007&", "hosts": "/hosts?host=nfs1&",
	"explore": "/explore?target=hpc1.partition.*.jobs.running&", "agent": "/agent?",
}

// TestEveryPage opens each page on a large and a small screen: nothing complains, nobody else is asked, nothing is wider
// than the screen, and everything that can be used has a name.
func TestEveryPage(t *testing.T) {
	site := serve(t, world(time.Now))
	b := newBrowser(t)
	for _, s := range []screen{desk, {width: 1024, height: 768, dark: true}, {width: 390, height: 844, phone: true}} {
		p := b.tab(t, s)
		for _, cluster := range []string{"hpc1", "lab", "viz"} {
			for name, path := range everyPage {
				if cluster != "hpc1" && (s.width == 1024 || name == "explore" || name == "hosts" && cluster == "lab") {
					continue
				}
				what := fmt.Sprintf("%s of %s at %d", name, cluster, s.width)
				p.open(site.URL + path + "cluster=" + cluster)
				assert.Empty(t, p.complained(), what)
				var wide struct{ Page, Screen float64 }
				p.eval(`({page: document.documentElement.scrollWidth, screen: innerWidth})`, &wide)
				assert.LessOrEqual(t, wide.Page, wide.Screen, what)
				var nameless []string
				p.eval(audit, &nameless)
				assert.Empty(t, nameless, what)
				text := p.words()
				assert.NotContains(t, text, "NaN", what)
				assert.NotContains(t, text, "undefined", what)
				assert.NotContains(t, text, "null", what)
			}
		}
		p.mu.Lock()
		for _, asked := range p.asked {
			assert.True(t, asked == "about:blank" || strings.HasPrefix(asked, site.URL) || strings.HasPrefix(asked, "data:"), asked)
		}
		assert.Greater(t, len(p.asked), 60)
		p.mu.Unlock()
	}
}

// audit lists what a reader of screens could not make sense of.
const audit = `(() => {
  const bad = [];
  const seen = (e) => e.getClientRects().length > 0;
  const name = (e) => (e.getAttribute('aria-label') || e.textContent || e.title || e.placeholder || '').trim()
    || (e.labels && [...e.labels].map((l) => l.textContent).join('').trim()) || (e.getAttribute('aria-labelledby') || '').split(' ').map((i) => document.getElementById(i)?.textContent || '').join('');
  for (const e of document.querySelectorAll('a, button, input, select, textarea, summary, [role=img], [role=tree], [tabindex="0"], nav, aside, dialog')) {
    if (seen(e) && !name(e)) bad.push('no name: ' + e.outerHTML.slice(0, 120));
  }
  for (const s of document.querySelectorAll('section')) if (seen(s) && !name(s)) bad.push('section without a name: ' + s.className);
  for (const selector of ['main', 'header', 'footer', 'nav']) if (!document.querySelector(selector)) bad.push('no ' + selector);
  if (document.querySelectorAll('h1').length !== 1) bad.push('not one h1');
  if (document.querySelectorAll('nav [aria-current=page]').length !== 1) bad.push('not one current page');
  for (const t of document.querySelectorAll('table')) if (!t.caption) bad.push('table without a caption');
  for (const t of document.querySelectorAll('th')) if (!t.scope) bad.push('th without a scope: ' + t.textContent);
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const i of ids) if (ids.indexOf(i) !== ids.lastIndexOf(i)) bad.push('id twice: ' + i);
  for (const e of document.querySelectorAll('[aria-labelledby]')) if (!document.getElementById(e.getAttribute('aria-labelledby'))) bad.push('label missing: ' + e.outerHTML.slice(0, 90));
  return bad;
})()`

// TestNumbers compares what the pages say with what the database holds, for a range that is over.
func TestNumbers(t *testing.T) {
	f := world(time.Now)
	site := serve(t, f)
	p := newBrowser(t).tab(t, desk)
	query, end := past(time.Now())
	at := func(path string) float64 {
		v := f.history.at("hpc1."+path, end)
		require.False(t, math.IsNaN(v), path)
		return v
	}

	p.open(site.URL + "/?" + query)
	assert.Equal(t, grouped(at("jobs.running")), p.text("[data-tile=running-jobs] .big"))
	assert.Equal(t, grouped(at("jobs.pending")), p.text("[data-tile=pending-jobs] .big"))
	assert.Equal(t, grouped(at("nodes.allocated")+at("nodes.mixed")), p.text("[data-tile=nodes-in-use] .big"))
	assert.Equal(t, grouped(at("cpus.alloc")), p.text("[data-tile=cpus] .big"))
	assert.Equal(t, fmt.Sprintf("of %s · %.0f%%", grouped(at("cpus.total")), 100*at("cpus.alloc")/at("cpus.total")), p.text("[data-tile=cpus] .sub"))
	assert.Equal(t, grouped(at("gpus.alloc")), p.text("[data-tile=gpus] .big"))
	for _, q := range big("hpc1").partitions {
		row := fmt.Sprintf("[data-panel=partitions] tr[data-name=%s] ", q.name)
		of := "partition." + q.name + "."
		down := at(of + "nodes.down")
		drained := at(of+"nodes.total") - at(of+"nodes.available") - down - at(of+"nodes.draining")
		assert.Equal(t, at(of+"nodes.drained"), drained, "the made-up history disagrees with itself")
		for cell, want := range map[int]float64{3: at(of + "nodes.total"), 4: drained, 5: down, 6: at(of + "jobs.running"), 7: at(of + "jobs.pending")} {
			assert.Equal(t, grouped(want), p.text(row+fmt.Sprintf("td:nth-child(%d)", cell)), "%s, cell %d", q.name, cell)
		}
		var label string
		p.eval(fmt.Sprintf("document.querySelector(%q).getAttribute('aria-label')", row+".stack"), &label)
		assert.Contains(t, label, grouped(at(of+"nodes.allocated"))+" allocated")
	}
	for _, r := range pendingReasons {
		assert.Equal(t, grouped(at("jobs.pending.reason."+r.name+".jobs")), p.text(reasonCell(r.name)), r.name)
	}
	assert.Equal(t, grouped(at("account.astro.jobs.cpus.running")), p.text("[data-panel=top-accounts] tr[data-name=astro] .num"))
	assert.Equal(t, grouped(at("user.bauer.jobs.cpus.running")), p.text("[data-panel=top-users] tr[data-name=bauer] .num"))

	p.open(site.URL + "/partition?partition=gpu&" + query)
	assert.Equal(t, grouped(at("partition.gpu.jobs.pending")), p.text("[data-tile=pending-jobs] .big"))
	assert.Equal(t, grouped(at("partition.gpu.gpus.alloc")), p.text("[data-tile=gpus] .big"))
	assert.Equal(t, grouped(at("partition.gpu.nodes.mixed")), p.text("[data-panel=nodes-now] [data-state=mixed]"))
	assert.Equal(t, grouped(at("partition.gpu.nodes.idle")-at("partition.gpu.nodes.drained")), p.text("[data-panel=nodes-now] [data-state=idle]"))

	p.open(site.URL + "/nodes?" + query)
	assert.Equal(t, "2,000 of 2,000 nodes", p.text("[data-panel=grid] .note"))
	assert.Equal(t, grouped(at("nodes.down")), p.text("[data-panel=history] [data-state=down]"))
	p.eval(`(() => { const q = document.querySelector('input[name=q]'); q.value = 'down'; q.dispatchEvent(new Event('input')); })()`, nil)
	assert.Equal(t, grouped(at("nodes.down"))+" of 2,000 nodes", p.text("[data-panel=grid] .note"))

	p.open(site.URL + "/agent?" + query)
	assert.Equal(t, grouped(at("agent.command.queue.rows")), p.text("[data-panel=commands] tr[data-name=queue] td:nth-child(5)"))
	assert.Equal(t, "2,143", p.text("[data-panel=aggregators] tr[data-name=slurm] td:nth-child(4)"))
	assert.Equal(t, "ok", p.text("[data-panel=databases-and-queues] tr[data-name=graphite] .state"))

	p.open(site.URL + "/explore?target=" + url.QueryEscape("sumSeries(hpc1.partition.*.jobs.running)") + "&" + query)
	var drawn string
	p.eval(`document.querySelector('[data-panel=explore-chart] .plot').getAttribute('aria-label')`, &drawn)
	assert.Contains(t, drawn, "sumSeries(hpc1.partition.*.jobs.running) now ")
	assert.Empty(t, p.complained())
}

func reasonCell(name string) string {
	return fmt.Sprintf("[data-panel=pending-by-reason] tr[data-name=%s] .num", name)
}

// TestLinkShowsTheSame opens what the address says in another tab.
func TestLinkShowsTheSame(t *testing.T) {
	f := &fake{history: newHistory(small("hpc1"), small("viz")), now: time.Now}
	site := serve(t, f)
	b := newBrowser(t)
	p, other := b.tab(t, desk), b.tab(t, desk)
	query, _ := past(time.Now())

	// What is chosen goes into the address, and along from page to page.
	p.open(site.URL + "/")
	choose := func(name, value string) {
		p.eval(fmt.Sprintf(`(() => { const e = document.querySelector('select[name=%s]'); e.value = %q; e.dispatchEvent(new Event('change')); })()`, name, value), nil)
	}
	choose("range", "-1h")
	choose("cluster", "viz")
	choose("refresh", "60")
	p.until(`location.search === '?from=-1h&cluster=viz&refresh=60' && !document.body.classList.contains('reading')`)
	p.eval(`document.querySelector('nav a[data-page=agent]').click()`, nil)
	p.until(`location.pathname === '/agent' && location.search === '?from=-1h&cluster=viz&refresh=60' && document.title === 'Agent · viz · clusterload'`)
	p.eval(`history.back()`, nil)
	p.until(`location.pathname === '/' && document.title === 'Overview · viz · clusterload'`)

	const said = `document.querySelector('main').innerText + [...document.querySelectorAll('.plot')].map((e) => e.getAttribute('aria-label')).join()`
	for name, path := range map[string]string{"overview": "/?", "partition": "/partition?partition=gpu&", "explore": "/explore?target=viz.jobs.running&target=viz.cpus.alloc&", "agent": "/agent?"} {
		p.open(site.URL + path + "cluster=viz&" + query)
		var address, first, second string
		p.eval(`location.href`, &address)
		p.eval(said, &first)
		other.open(address)
		other.eval(said, &second)
		assert.Equal(t, first, second, name)
		assert.Greater(t, len(first), 200, name)
	}
	assert.Empty(t, p.complained())
}

// clock spells a time as the pages do: with its day where that is not today.
func clock(at int64) string {
	t, today := time.Unix(at, 0).UTC(), time.Now().UTC()
	if t.YearDay() == today.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// TestSilentSlurmctld shows a cluster whose slurmctld has not answered for a while: since when, and the last figures as such.
func TestSilentSlurmctld(t *testing.T) {
	now := time.Now()
	f := world(time.Now)
	site := serve(t, f)
	p := newBrowser(t).tab(t, desk)
	last := (now.Unix() - 17*60) / 10 * 10
	since := clock(last)
	for _, from := range []string{"-1h", "-7d"} { // at once to be seen, and searched for
		p.open(site.URL + "/?cluster=lab&from=" + from)
		assert.Equal(t, "!slurmctld has not answered since "+since+" (scontrol show nodes, sinfo, squeue).", p.text("#status p"))
		assert.Equal(t, "Nothing is known of Slurm since "+since, p.text(".verdict h2"))
		assert.Equal(t, "as of "+since, p.text("[data-tile=running-jobs] .sub"))
		assert.Equal(t, grouped(f.history.at("lab.jobs.running", last)), p.text("[data-tile=running-jobs] .big .stale"))
		assert.Equal(t, grouped(f.history.at("lab.partition.main.jobs.pending", last)), p.text("tr[data-name=main] td:nth-child(7) .stale"))
		assert.Equal(t, grouped(f.history.at("lab.jobs.pending.reason.priority.jobs", last)), p.text(reasonCell("priority")+".stale"))
	}
	// A range that lies in the silence has nothing at all, and says so.
	p.open(site.URL + fmt.Sprintf("/?cluster=lab&from=%d&until=%d", last+120, last+600))
	assert.Equal(t, "–", p.text("[data-tile=running-jobs] .big"))
	assert.Equal(t, "no data: the agent sends none", p.text("[data-tile=running-jobs] .sub"))
	assert.Equal(t, "No data of Slurm in this range", p.text(".verdict h2"))
	assert.Equal(t, "No data: the agent sends no reasons.", p.text("[data-panel=pending-by-reason] .empty"))

	// What an agent never measured is missing, and is no zero.
	p.open(site.URL + "/?cluster=viz")
	assert.Equal(t, "No data: this agent does not measure how long jobs wait.", p.text("[data-panel=wait-times] .chart .empty"))
	assert.Contains(t, p.text("[data-panel=slurmctld] .note"), "no data of its scheduler")
	p.open(site.URL + "/nodes?cluster=viz")
	assert.Contains(t, p.text("[data-panel=grid] .body:not([hidden]) .empty"), "No data: the agent sends no series of single nodes.")
	p.open(site.URL + "/hosts?cluster=viz&host=head1")
	assert.Contains(t, p.words(), "No data: no host is measured yet.")
	assert.Contains(t, p.words(), "No data: nothing has been measured on head1.")
	assert.Empty(t, p.complained())
}

// TestSilentAgent shows a cluster whose agent is gone, one whose database is behind, and a Graphite without any.
func TestSilentAgent(t *testing.T) {
	now := time.Now().Unix()
	gone := small("gone")
	last := (now - 7000) / 10 * 10
	gone.gone = func(t int64) bool { return t > last }
	away := small("away")
	away.gone = func(t int64) bool { return t > last-900 }
	f := &fake{history: newHistory(gone, away, small("late")), now: time.Now}
	f.history.series["late.agent.queue.backup.oldest_seconds"] = func(int64) float64 { return 4000 }
	f.history.series["late.agent.database.backup.ok"] = func(t int64) float64 {
		if t > now/10*10-900 {
			return 0
		}
		return 1
	}
	site := serve(t, f)
	p := newBrowser(t).tab(t, desk)
	p.open(site.URL + "/?cluster=gone")
	assert.Equal(t, "!The agent of gone has sent nothing since "+clock(last)+".", p.text("#status p"))
	// Another silent cluster in the same tab has a time of its own.
	p.eval(`(() => { const e = document.querySelector('select[name=cluster]'); e.value = 'away'; e.dispatchEvent(new Event('change')); })()`, nil)
	p.until(`document.getElementById('status').textContent === '!The agent of away has sent nothing since ` + clock(last-900) + `.'`)
	p.open(site.URL + "/agent?cluster=gone")
	assert.Equal(t, "silent", p.text("[data-panel=commands] tr[data-name=queue] .state"))
	p.open(site.URL + "/agent?cluster=late")
	assert.Contains(t, p.text("#status"), "The database “backup” has taken nothing since "+clock(now/10*10-900))
	assert.Contains(t, p.text("#status"), "Points for the database “backup” wait in the agent's queue, the oldest 67 min.")
	assert.Equal(t, "failing", p.text("[data-panel=databases-and-queues] tr[data-name=backup] .state"))

	none := serve(t, &fake{history: newHistory(), now: time.Now})
	p.open(none.URL + "/")
	assert.Equal(t, "No cluster yet", p.text("main h2"))
	assert.Empty(t, p.complained())
}

// TestDatabaseStopsAndReturns takes the database away under an open page and gives it back.
func TestDatabaseStopsAndReturns(t *testing.T) {
	f := &fake{history: newHistory(small("hpc1")), now: time.Now}
	site := httptest.NewServer(f.handler())
	address := site.Listener.Addr().String()
	p := newBrowser(t).tab(t, desk)
	p.open(site.URL + "/")
	before := p.text("[data-tile=running-jobs] .big")
	require.NotEqual(t, "–", before)

	const again = `document.dispatchEvent(new Event('visibilitychange'))` // as when the tab comes to the front
	f.broken.Store(true)
	p.eval(again, nil)
	p.until(`document.body.dataset.state === 'failed'`)
	assert.Contains(t, p.text("#status .bad"), "The database has not answered since ")
	assert.Contains(t, p.text("#status .bad"), "503 no database")
	assert.Equal(t, before, p.text("[data-tile=running-jobs] .big"), "what was read stays")
	f.broken.Store(false)
	p.until(`document.body.dataset.state === 'read' && document.getElementById('status').textContent === ''`)

	site.CloseClientConnections()
	site.Close()
	p.eval(again, nil)
	p.until(`document.body.dataset.state === 'failed' && document.body.classList.contains('lost')`)
	assert.Contains(t, p.text("#status .bad"), "no connection")
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	back := &http.Server{Handler: f.handler()}
	go func() { _ = back.Serve(l) }()
	t.Cleanup(func() { _ = back.Close() })
	p.until(`document.body.dataset.state === 'read' && !document.body.classList.contains('lost') && document.getElementById('status').textContent === ''`)
	assert.NotEqual(t, "–", p.text("[data-tile=running-jobs] .big"))
}

// TestToken asks for a token where the database wants one, and sends it.
func TestToken(t *testing.T) {
	f := &fake{history: newHistory(small("hpc1")), now: time.Now}
	inner := f.handler()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/metrics") || r.URL.Path == "/render" {
			if r.Header.Get("Authorization") != "Bearer s3cret" {
				http.Error(w, "want a token", http.StatusUnauthorized)
				return
			}
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(site.Close)
	p := newBrowser(t).tab(t, desk)
	p.call("Page.navigate", map[string]any{"url": site.URL + "/"}, nil)
	p.until(`document.querySelector('input[name=token]')`)
	p.eval(`(() => { document.querySelector('input[name=token]').value = 's3cret'; document.querySelector('main form').requestSubmit(); })()`, nil)
	p.until(`document.body.dataset.state === 'read' && document.querySelector('[data-tile=running-jobs]')`)
}

// TestKeyboard goes through a chart, the grid and the tree without a mouse.
func TestKeyboard(t *testing.T) {
	site := serve(t, world(time.Now))
	p := newBrowser(t).tab(t, desk)
	query, end := past(time.Now())
	p.open(site.URL + "/?" + query)
	p.press("Tab")
	assert.Equal(t, "Skip to the content", func() (s string) { p.eval(`document.activeElement.textContent`, &s); return }())
	p.eval(`document.querySelector('.chart .plot').focus()`, nil)
	p.press("End")
	p.press("ArrowLeft")
	p.until(`/^\d\d:\d\d:\d\d: running [\d,]+k?, pending /.test(document.querySelector('.chart [aria-live]').textContent)`)
	p.eval(`(() => { const d = document.querySelector('.chart details'); d.open = true; })()`, nil)
	p.until(`document.querySelectorAll('.chart details tbody tr').length > 30`)

	p.open(site.URL + "/nodes?" + query)
	p.eval(`document.querySelector('canvas').focus()`, nil)
	p.press("ArrowRight")
	p.press("ArrowRight")
	p.until(`document.querySelector('.cells [aria-live]').textContent.startsWith('cn0002: ')`)
	p.press("Enter")
	p.until(`new URLSearchParams(location.search).get('node') === 'cn0002' && document.querySelector('#p-node').textContent === 'Node cn0002'`)

	p.open(site.URL + fmt.Sprintf("/explore?from=%d&until=%d", end-3600, end)) // short: its points are no means
	p.until(`document.querySelectorAll('[role=treeitem]').length > 10`)
	p.eval(`document.querySelector('[role=treeitem]').focus()`, nil)
	focus := func(path string) {
		t.Helper()
		for range 40 {
			var at string
			p.eval(`document.activeElement.dataset.path || ''`, &at)
			if at == path {
				return
			}
			p.press("ArrowDown")
		}
		t.Fatalf("%s: not reached", path)
	}
	focus("hpc1.gpus")
	p.press("ArrowRight")
	p.until(`document.querySelector('[data-path="hpc1.gpus.alloc"]')`)
	focus("hpc1.gpus.alloc")
	p.press("Enter")
	p.until(`new URLSearchParams(location.search).get('target') === 'hpc1.gpus.alloc' && document.querySelector('[data-panel=values] tbody tr')`)
	f := world(time.Now)
	assert.Equal(t, grouped(f.history.at("hpc1.gpus.alloc", end)), p.text("[data-panel=explore-chart] .legend .v"))

	// A function is put around the target; a target that Graphite refuses is told of in its words.
	p.until(`document.querySelector('option[value=sumSeries]')`)
	p.eval(`(() => { const s = document.querySelector('.toolbar select'); s.value = 'sumSeries'; s.dispatchEvent(new Event('change')); })()`, nil)
	p.until(`new URLSearchParams(location.search).get('target') === 'sumSeries(hpc1.gpus.alloc)'`)
	assert.Empty(t, p.complained())
	p.eval(`(() => { const a = document.querySelector('textarea'); a.value = 'nonsense(hpc1.gpus.alloc)'; a.form.requestSubmit(); })()`, nil)
	p.until(`document.querySelector('[data-panel=targets] .wrong').textContent.includes('unknown function')`)
}

// TestZoom points at a time, draws a range with the mouse, and goes back to now.
func TestZoom(t *testing.T) {
	f := &fake{history: newHistory(small("hpc1")), now: time.Now}
	site := serve(t, f)
	p := newBrowser(t).tab(t, desk)
	p.open(site.URL + "/")
	var box struct{ X, Y, Width, Height float64 }
	p.eval(`(() => { const r = document.querySelector('.chart .u-over').getBoundingClientRect(); return {x: r.x, y: r.y, width: r.width, height: r.height}; })()`, &box)
	mouse := func(kind string, ratio float64) {
		p.call("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": box.X + box.Width*ratio, "y": box.Y + box.Height/2, "button": "left", "buttons": 1, "clickCount": 1}, nil)
	}
	mouse("mouseMoved", 0.25)
	p.until(`document.querySelectorAll('.plot[data-at]:not([data-at=""])').length > 1`) // one time in all charts
	mouse("mousePressed", 0.25)
	mouse("mouseMoved", 0.5)
	mouse("mouseMoved", 0.75)
	mouse("mouseReleased", 0.75)
	p.until(`/^\?from=\d+&until=\d+$/.test(location.search)`)
	var zoomed struct{ From, Until float64 }
	p.eval(`Object.fromEntries([...new URLSearchParams(location.search)].map(([k, v]) => [k, Number(v)]))`, &zoomed)
	assert.InDelta(t, 3*3600, zoomed.Until-zoomed.From, 120)
	assert.InDelta(t, float64(time.Now().Unix())-1.5*3600, zoomed.Until, 180)
	p.until(`document.querySelector('a.live')`)
	p.eval(`document.querySelector('a.live').click()`, nil)
	p.until(`location.search === '' && document.querySelector('select[name=refresh]')`)
	assert.Empty(t, p.complained())
}
