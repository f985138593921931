package grafana

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestProvisioning checks that the provisioning files are YAML and say what Grafana needs.
func TestProvisioning(t *testing.T) {
	for name, want := range map[string]string{
		"datasources": `{"apiVersion": 1, "datasources": [{"name": "Clusterload", "uid": "clusterload", "type": "graphite", "access": "proxy",
			"url": "http://127.0.0.1:8080", "jsonData": {"graphiteVersion": "1.1", "graphiteType": "default"}}]}`,
		"dashboards": `{"apiVersion": 1, "providers": [{"name": "Clusterload", "folder": "Clusterload", "type": "file", "updateIntervalSeconds": 60,
			"allowUiUpdates": true, "options": {"path": "/var/lib/grafana/dashboards/clusterload"}}]}`,
	} {
		b, err := os.ReadFile("../../docs/grafana/provisioning/" + name + "/clusterload.yaml")
		require.NoError(t, err)
		assert.YAMLEq(t, want, string(b), name)
	}
}
