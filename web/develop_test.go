package web

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestServe serves the pages over a made-up history for who works on them, until it is interrupted:
//
//	CLUSTERLOAD_WEB_LISTEN=127.0.0.1:8099 go test ./web -run TestServe -timeout 0
//
// With CLUSTERLOAD_WEB_STATIC=web/static it serves the files of that folder and not the embedded ones.
func TestServe(t *testing.T) {
	address := os.Getenv("CLUSTERLOAD_WEB_LISTEN")
	if address == "" {
		t.Skip("for work on the pages: CLUSTERLOAD_WEB_LISTEN=127.0.0.1:8099")
	}
	t.Logf("http://%s/", address)
	require.NoError(t, http.ListenAndServe(address, world(time.Now).handler()))
}

// world is a fake with three clusters: one in health, one whose slurmctld has been silent for 17 minutes, one of an
// agent of the first version.
func world(now func() time.Time) *fake {
	sick := small("lab")
	since := now().Unix() - 17*60
	sick.silent = func(t int64) bool { return t > since }
	hpc := big("hpc1")
	hole := now().Unix() - 4*3600
	hpc.gone = func(t int64) bool { return t > hole && t < hole+1300 }
	return &fake{history: newHistory(hpc, sick, small("viz")), now: now}
}

// TestPictures writes a picture of each page at three widths, light and dark, into a folder, for who works on them:
//
//	CLUSTERLOAD_WEB_PICTURES=/tmp/pictures go test ./web -run TestPictures
//
// CLUSTERLOAD_WEB_URL takes the pages of that server, CLUSTERLOAD_WEB_ONLY only pictures whose name holds the word.
func TestPictures(t *testing.T) {
	folder := os.Getenv("CLUSTERLOAD_WEB_PICTURES")
	if folder == "" {
		t.Skip("for work on the pages: CLUSTERLOAD_WEB_PICTURES=/tmp/pictures")
	}
	require.NoError(t, os.MkdirAll(folder, 0o755))
	url := os.Getenv("CLUSTERLOAD_WEB_URL")
	if url == "" {
		url = serve(t, world(time.Now)).URL
	}
	b := newBrowser(t)
	p := b.tab(t, desk)
	for name, path := range map[string]string{
		"overview": "/", "partition": "/partition?partition=gpu", "nodes": "/nodes?node=gpu007", "nodes-load": "/nodes?by=load", "hosts": "/hosts?host=head1",
		"explore": "/explore?target=hpc1.partition.*.jobs.running", "agent": "/agent", "stale": "/?cluster=lab&from=-1h", "old": "/?cluster=viz", "old-nodes": "/nodes?cluster=viz", "old-hosts": "/hosts?cluster=viz",
	} {
		for _, s := range []screen{{1600, 1000, false, false}, {1600, 1000, true, false}, {1024, 900, false, false}, {390, 844, false, true}, {390, 844, true, true}} {
			file := fmt.Sprintf("%s-%d-%t.png", name, s.width, s.dark)
			file = strings.NewReplacer("-true", "-dark", "-false", "").Replace(file)
			if !strings.Contains(file, os.Getenv("CLUSTERLOAD_WEB_ONLY")) {
				continue
			}
			p.look(s)
			p.open(url + path)
			time.Sleep(150 * time.Millisecond) // the fonts
			p.picture(filepath.Join(folder, file))
			for _, c := range p.complained() {
				t.Logf("%s: %s", file, c)
			}
		}
	}
}

// TestFeed sends the made-up history of the last hours to a carbon as lines, in the order of time, for who works on the
// pages over a real database:
//
//	CLUSTERLOAD_WEB_FEED=127.0.0.1:2003 CLUSTERLOAD_WEB_HOURS=6 go test ./web -run TestFeed -timeout 0
func TestFeed(t *testing.T) {
	address := os.Getenv("CLUSTERLOAD_WEB_FEED")
	if address == "" {
		t.Skip("for work on the pages: CLUSTERLOAD_WEB_FEED=127.0.0.1:2003")
	}
	hours, err := strconv.ParseFloat(cmp.Or(os.Getenv("CLUSTERLOAD_WEB_HOURS"), "6"), 64)
	require.NoError(t, err)
	now := time.Now().Unix()
	f := world(time.Now)
	n, err := f.history.send(address, now-int64(hours*3600), now, func(path string, at int64) bool {
		return strings.Contains(path, ".node.") && at < now-1200 // single nodes: the last minutes are enough
	})
	require.NoError(t, err)
	t.Logf("%d points of %d series", n, len(f.history.series))
}
