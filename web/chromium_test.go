package web

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/bed"
)

// A browser is a Chromium without a window, driven over its DevTools protocol through a pair of pipes: messages of JSON,
// each ended by a zero byte.
type browser struct {
	to      *os.File
	mu      sync.Mutex
	next    int
	waiting map[int]chan reply
	events  map[string]func(method string, params json.RawMessage) // by session
	gone    chan struct{}
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error"`
}

// newBrowser starts a Chromium for the length of the test, or skips it where there is none.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	bed.Need(t, "chromium")
	path, err := bed.Look("chromium")
	require.NoError(t, err)
	home := t.TempDir()
	theirs, to, err := os.Pipe()
	require.NoError(t, err)
	from, out, err := os.Pipe()
	require.NoError(t, err)
	log, err := os.Create(filepath.Join(home, "log"))
	require.NoError(t, err)
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
		"--remote-debugging-pipe", "--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
	cmd.ExtraFiles = []*os.File{theirs, out}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	theirs.Close()
	out.Close()
	b := &browser{to: to, waiting: map[int]chan reply{}, events: map[string]func(string, json.RawMessage){}, gone: make(chan struct{})}
	go b.read(from)
	t.Cleanup(func() {
		to.Close() // the end of the pipe ends it
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group, and what is left of it
		<-ended
		<-b.gone
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("chromium: %s", text[max(0, len(text)-2000):])
		}
		log.Close()
	})
	return b
}

func (b *browser) read(from *os.File) {
	defer close(b.gone)
	defer from.Close()
	r := bufio.NewReaderSize(from, 1<<16)
	for {
		message, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID      int             `json:"id"`
			Session string          `json:"sessionId"`
			Method  string          `json:"method"`
			Params  json.RawMessage `json:"params"`
			reply
		}
		if json.Unmarshal(message[:len(message)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		answer, event := b.waiting[m.ID], b.events[m.Session]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		if m.Method != "" && event != nil {
			event(m.Method, m.Params)
		} else if answer != nil {
			answer <- m.reply
		}
	}
}

// call sends one command of the protocol and reads its answer into result, where that is not nil.
func (b *browser) call(ctx context.Context, session, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	answer := make(chan reply, 1)
	b.mu.Lock()
	b.next++
	id := b.next
	b.waiting[id] = answer
	message, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		message, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.to.Write(append(message, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return fmt.Errorf("%s: %s %s", method, r.Error.Message, r.Error.Data)
		}
		if result != nil {
			return json.Unmarshal(r.Result, result)
		}
		return nil
	case <-b.gone:
		return fmt.Errorf("%s: the browser has ended", method)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// A tab is one page of a browser. What its scripts complain of is kept.
type tab struct {
	t       testing.TB
	b       *browser
	session string

	mu         sync.Mutex
	complaints []string
	asked      []string // addresses of all requests
}

// A screen is what a tab is seen on.
type screen struct {
	width, height int
	dark, phone   bool
}

var desk = screen{width: 1600, height: 1000}

func (b *browser) tab(t testing.TB, s screen) *tab {
	t.Helper()
	p := &tab{t: t, b: b}
	var target struct{ TargetID string }
	p.must(b.call(t.Context(), "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	var attached struct{ SessionID string }
	p.must(b.call(t.Context(), "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached))
	p.session = attached.SessionID
	b.mu.Lock()
	b.events[p.session] = p.event
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.call(domain+".enable", nil, nil)
	}
	p.look(s)
	t.Cleanup(func() {
		_ = b.call(context.Background(), "", "Target.closeTarget", map[string]any{"targetId": target.TargetID}, nil)
	})
	return p
}

func (p *tab) must(err error) {
	p.t.Helper()
	require.NoError(p.t, err)
}

func (p *tab) call(method string, params, result any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	p.must(p.b.call(ctx, p.session, method, params, result))
}

// look changes the screen.
func (p *tab) look(s screen) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": s.width, "height": s.height, "deviceScaleFactor": 1, "mobile": s.phone}, nil)
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
}

func (p *tab) event(method string, params json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, string(params))
	case "Runtime.consoleAPICalled":
		var e struct{ Type string }
		if json.Unmarshal(params, &e) == nil && (e.Type == "error" || e.Type == "warning") {
			p.complaints = append(p.complaints, string(params))
		}
	case "Log.entryAdded":
		var e struct {
			Entry struct{ Level, Source, Text, URL string }
		}
		if json.Unmarshal(params, &e) == nil && e.Entry.Level == "error" {
			p.complaints = append(p.complaints, e.Entry.Source+": "+e.Entry.Text+" "+e.Entry.URL)
		}
	case "Network.requestWillBeSent":
		var e struct{ Request struct{ URL string } }
		if json.Unmarshal(params, &e) == nil {
			p.asked = append(p.asked, e.Request.URL)
		}
	}
}

// complained returns and forgets what the page's scripts complained of.
func (p *tab) complained() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.complaints
	p.complaints = nil
	return all
}

// open goes to an address and waits until the page has read its data.
func (p *tab) open(url string) {
	p.t.Helper()
	p.call("Page.navigate", map[string]any{"url": "about:blank"}, nil)
	p.call("Page.navigate", map[string]any{"url": url}, nil)
	p.until(`location.href !== 'about:blank' && document.body && document.body.dataset.state === 'read' && !document.body.classList.contains('reading')`)
}

// eval runs an expression in the page and reads its value into result.
func (p *tab) eval(expression string, result any) {
	p.t.Helper()
	p.must(p.try(expression, result))
}

func (p *tab) try(expression string, result any) error {
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	var r struct {
		Result struct {
			Value json.RawMessage
		}
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.b.call(ctx, p.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if err != nil {
		return err
	}
	if r.ExceptionDetails != nil {
		return errors.New(r.ExceptionDetails.Text + " " + r.ExceptionDetails.Exception.Description)
	}
	if result == nil || len(r.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(r.Result.Value, result)
}

// text is what an element shows; the test fails where there is none.
func (p *tab) text(selector string) string {
	p.t.Helper()
	var s *string
	p.eval(fmt.Sprintf(`(document.querySelector(%q)?.textContent ?? null)`, selector), &s)
	if s == nil {
		p.t.Fatalf("%s: not in the page, which says: %s", selector, p.words())
	}
	return strings.TrimSpace(*s)
}

// words is all that the page says.
func (p *tab) words() string {
	var s string
	p.eval(`document.body.innerText`, &s)
	return s
}

// until waits for an expression to be true.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	err := bed.WaitFor(ctx, expression, func() (bool, error) {
		var is bool
		err := p.try("Boolean("+expression+")", &is)
		return err == nil && is, nil
	})
	if err != nil {
		p.t.Fatalf("%v\nThe page says: %s\nand complained: %q", err, p.words(), p.complained())
	}
}

// press presses a key, named as KeyboardEvent.key names it.
func (p *tab) press(key string) {
	p.t.Helper()
	codes := map[string]int{"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "Enter": 13, "Tab": 9, "Escape": 27}
	event := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if key == "Enter" {
		event["text"] = "\r"
	}
	p.call("Input.dispatchKeyEvent", event, nil)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

// picture writes what the page looks like, from its top to its end.
func (p *tab) picture(path string) {
	p.t.Helper()
	var size struct{ Width, Height float64 }
	p.eval(`({width: innerWidth, height: Math.min(6000, document.documentElement.scrollHeight)})`, &size)
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": size.Width, "height": size.Height, "scale": 1}}, &shot)
	b, err := base64.StdEncoding.DecodeString(shot.Data)
	p.must(err)
	p.must(os.WriteFile(path, b, 0o644))
}
