package registry_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clusterload/clusterload/internal/registry"
)

func TestGet(t *testing.T) {
	r := registry.New[int]("aggregator")
	r.Add("slurm", 7)
	r.Add("host", 3)

	got, err := r.Get("slurm")
	assert.NoError(t, err)
	assert.Equal(t, 7, got)

	_, err = r.Get("slrum")
	assert.EqualError(t, err, `unknown aggregator "slrum" (known: host, slurm)`)
	assert.PanicsWithValue(t, `aggregator "host" is registered twice`, func() { r.Add("host", 1) })
}
