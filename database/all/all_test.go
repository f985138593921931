package all

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/clusterload/clusterload/database"
)

func TestRegister(t *testing.T) {
	r := database.NewRegistry()
	Register(r)
	assert.Subset(t, r.Names(), []string{"graphite", "print"})
}
