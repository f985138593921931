package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
	"github.com/clusterload/clusterload/internal/graphitebed"
)

// TestOverGraphite shows the pages over a real carbon and graphite-web that were sent the history of an hour: the same
// numbers, and no complaint.
func TestOverGraphite(t *testing.T) {
	g := graphitebed.StartTest(t, graphitebed.Options{Retention: "10s:2h"})
	plan := small("hpc1")
	plan.more, plan.perNode, plan.accounts, plan.users = true, true, 2, 3
	h := newHistory(plan)
	end := time.Now().Unix() / 10 * 10
	sent, err := h.send(g.Line, end-1200, end, nil)
	require.NoError(t, err)
	t.Logf("%d points of %d series", sent, len(h.series))

	target, err := url.Parse(g.URL)
	require.NoError(t, err)
	api := httputil.NewSingleHostReverseProxy(target)
	mux := http.NewServeMux()
	mux.Handle("/", Handler())
	for _, path := range []string{"/render", "/metrics/", "/functions", "/functions/", "/events/"} {
		mux.Handle(path, api)
	}
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)

	// Carbon writes behind: the last of the points has to be there, of the series that is written last too.
	last := h.paths()[len(h.paths())-1]
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, bed.WaitFor(ctx, "carbon to have written "+last, func() (bool, error) {
		for _, path := range []string{last, "hpc1.jobs.running", "hpc1.agent.series", "hpc1.partition.main.jobs.running"} {
			all, err := g.Render(ctx, path, time.Unix(end-10, 0), time.Unix(end, 0))
			if err != nil || len(all) != 1 || len(all[0].Values()) == 0 {
				return false, err
			}
		}
		return true, nil
	}))

	p := newBrowser(t).tab(t, desk)
	query := fmt.Sprintf("cluster=hpc1&from=%d&until=%d", end-1200, end)
	at := func(path string) float64 { return h.at("hpc1."+path, end) }
	p.open(site.URL + "/?" + query)
	assert.Equal(t, grouped(at("jobs.running")), p.text("[data-tile=running-jobs] .big"))
	assert.Equal(t, grouped(at("jobs.pending")), p.text("[data-tile=pending-jobs] .big"))
	assert.Equal(t, grouped(at("cpus.alloc")), p.text("[data-tile=cpus] .big"))
	for _, q := range plan.partitions {
		of := "partition." + q.name + "."
		for cell, path := range map[int]string{3: "nodes.total", 6: "jobs.running", 7: "jobs.pending"} {
			assert.Equal(t, grouped(at(of+path)), p.text(fmt.Sprintf("[data-panel=partitions] tr[data-name=%s] td:nth-child(%d)", q.name, cell)), of+path)
		}
	}
	assert.Equal(t, grouped(at("jobs.pending.reason.priority.jobs")), p.text(reasonCell("priority")))
	assert.Equal(t, grouped(at("account.astro.jobs.cpus.running")), p.text("[data-panel=top-accounts] tr[data-name=astro] .num"))
	assert.Empty(t, p.text("#status"))

	p.open(site.URL + "/partition?partition=main&" + query)
	assert.Equal(t, grouped(at("partition.main.nodes.allocated")), p.text("[data-panel=nodes-now] [data-state=allocated]"))
	p.open(site.URL + "/nodes?" + query)
	assert.Equal(t, "15 of 15 nodes", p.text("[data-panel=grid] .note"))
	p.eval(`(() => { const q = document.querySelector('input[name=q]'); q.value = 'allocated'; q.dispatchEvent(new Event('input')); })()`, nil)
	allocated := 0
	for path := range h.series {
		if match("hpc1.node.*.state_code", path) && h.at(path, end) == codeAllocated {
			allocated++
		}
	}
	assert.Equal(t, fmt.Sprintf("%d of 15 nodes", allocated), p.text("[data-panel=grid] .note"))
	p.open(site.URL + "/hosts?host=nfs1&" + query)
	p.until(`document.querySelectorAll('[data-panel^=h] .plot').length >= 8`)
	p.open(site.URL + "/agent?" + query)
	assert.Equal(t, "2,143", p.text("[data-panel=aggregators] tr[data-name=slurm] td:nth-child(4)"))
	p.open(site.URL + "/explore?target=" + url.QueryEscape(`aliasByNode(scale(hpc1.partition.*.jobs.running, 2), 2)`) + "&" + query)
	assert.Equal(t, "main", p.text("[data-panel=values] tbody tr:nth-child(2) code"))
	assert.Equal(t, grouped(2*at("partition.main.jobs.running")), p.text("[data-panel=values] tbody tr:nth-child(2) td"))
	// Its functions, or the usual ones where it cannot list them: graphite-web 1.1.8 fails to on Python 3.11.
	p.until(`document.querySelectorAll('select optgroup option').length > 20`)
	for _, c := range p.complained() {
		assert.Contains(t, c, "/functions", "nothing else complains")
	}
}
