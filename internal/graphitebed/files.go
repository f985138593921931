package graphitebed

import (
	"fmt"
	"path/filepath"
)

// files returns the configuration files by their path below the folder. Carbon creates and writes without its usual limits,
// so that a point is on disk about a second after it came.
func (g *Graphite) files() map[string]string {
	in := func(name string) string { return filepath.Join(g.Folder, name) }
	return map[string]string{
		"conf/carbon.conf": fmt.Sprintf(`[cache]
STORAGE_DIR = %s
LOCAL_DATA_DIR = %s
CONF_DIR = %s
LOG_DIR = %s
PID_DIR = %s
USER =
DATABASE = whisper
MAX_CACHE_SIZE = inf
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
MIN_TIMESTAMP_RESOLUTION = 1
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = %d
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = %d
ENABLE_UDP_LISTENER = True
UDP_RECEIVER_INTERFACE = 127.0.0.1
UDP_RECEIVER_PORT = %d
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = %d
USE_FLOW_CONTROL = True
CACHE_WRITE_STRATEGY = max
ENABLE_LOGROTATION = False
LOG_UPDATES = False
LOG_CREATES = False
LOG_CACHE_HITS = False
WHISPER_AUTOFLUSH = False
CARBON_METRIC_INTERVAL = 0
ENABLE_TAGS = %s
GRAPHITE_URL = %s
`, g.Folder, in("whisper"), in("conf"), in("log"), g.Folder, g.ports[linePort], g.ports[picklePort], g.ports[udpPort],
			g.ports[queryPort], python(g.options.Tags), fmt.Sprintf("http://127.0.0.1:%d", g.ports[webPort])),

		"conf/storage-schemas.conf":     "[all]\npattern = .*\nretentions = " + g.options.Retention + "\n",
		"conf/storage-aggregation.conf": "[all]\npattern = .*\nxFilesFactor = 0\naggregationMethod = average\n",

		"conf/graphitebed_settings.py": fmt.Sprintf(`SECRET_KEY = 'a server for tests, on loopback'
ALLOWED_HOSTS = ['*']
TIME_ZONE = 'UTC'
LOG_DIR = %[1]q
CONF_DIR = %[2]q
STORAGE_DIR = %[3]q
WHISPER_DIR = %[4]q
INDEX_FILE = %[5]q
STANDARD_DIRS = [WHISPER_DIR]
CARBONLINK_HOSTS = []
DEFAULT_CACHE_DURATION = 0
FIND_CACHE_DURATION = 0
LOG_RENDERING_PERFORMANCE = False
LOG_CACHE_PERFORMANCE = False
LOG_ROTATION = False
DATABASES = {'default': {'NAME': %[6]q, 'ENGINE': 'django.db.backends.sqlite3', 'OPTIONS': {'timeout': 30}}}
`, in("log"), in("conf"), g.Folder, in("whisper"), in("index"), in("graphite.db")),
	}
}

func python(b bool) string {
	if b {
		return "True"
	}
	return "False"
}
