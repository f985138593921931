package setting_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clusterload/clusterload/internal/setting"
)

func decode[T any](text string) (T, error) {
	var v struct{ X T }
	_, err := toml.Decode("x = "+text, &v)
	return v.X, err
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{`10`: 10 * time.Second, `"1h30m"`: 90 * time.Minute, `"250ms"`: 250 * time.Millisecond, `0`: 0, `"90d"`: 90 * 24 * time.Hour, `"2y"`: 730 * 24 * time.Hour, `"1.5w"`: 252 * time.Hour} {
		got, err := decode[setting.Duration](text)
		require.NoError(t, err, text)
		assert.Equal(t, setting.Duration(want), got, text)
	}
	for _, text := range []string{`-1`, `"-1s"`, `"10"`, `true`, `1.5`, `9223372036854775807`, `""`, `"d"`, `"99999999y"`, `"-1d"`, `"NaNd"`} {
		_, err := decode[setting.Duration](text)
		assert.Error(t, err, text)
	}
	for _, text := range []string{"90d", "1h30m0s", "0s"} {
		var d setting.Duration
		require.NoError(t, d.Set(text))
		assert.Equal(t, text, d.String())
	}
	assert.Equal(t, 7*time.Second, setting.Duration(0).Or(7*time.Second))
	assert.Equal(t, 3*time.Second, setting.Duration(3*time.Second).Or(7*time.Second))
}

func TestSize(t *testing.T) {
	for text, want := range map[string]setting.Size{`4096`: 4096, `"512MiB"`: 512 << 20, `"1GB"`: 1e9, `"2 KiB"`: 2048, `"3K"`: 3072, `"7B"`: 7, `"11"`: 11, `"1.5MiB"`: 3 << 19, `"1TiB"`: 1 << 40, `"2TB"`: 2e12, `"5kB"`: 5000} {
		got, err := decode[setting.Size](text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{`-1`, `"x"`, `"-1B"`, `"99999999TiB"`, `false`, `"NaN"`, `""`} {
		_, err := decode[setting.Size](text)
		assert.Error(t, err, text)
	}
}

func TestSizeIsSpeltAsItIsRead(t *testing.T) {
	for _, text := range []string{"20GiB", "3MiB", "1001", "0"} {
		var s setting.Size
		require.NoError(t, s.Set(text))
		assert.Equal(t, text, s.String())
	}
}

func TestSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(path, []byte("from-file\n"), 0o600))
	t.Setenv("SETTING_TEST_SECRET", "from-env")
	for text, want := range map[string]string{`"plain"`: "plain", fmt.Sprintf(`{file = %q}`, path): "from-file", `{env = "SETTING_TEST_SECRET"}`: "from-env"} {
		s, err := decode[setting.Secret](text)
		require.NoError(t, err, text)
		assert.Equal(t, want, s.Reveal())
		asJSON, err := json.Marshal(s)
		require.NoError(t, err)
		type holder struct{ Token setting.Secret }
		for _, printed := range []string{s.String(), fmt.Sprintf("%v %+v %#v %s", s, s, s, s), fmt.Sprintf("%+v %#v", holder{s}, holder{s}), string(asJSON)} {
			assert.NotContains(t, printed, want)
		}
	}
	for text, want := range map[string]string{
		fmt.Sprintf(`{file = %q}`, path+"-none"): "no such file", `{env = "SETTING_TEST_UNSET"}`: "the environment has no SETTING_TEST_UNSET",
		`{file = "/x", env = "Y"}`: "a secret is a string", `7`: "a secret is a string", `{fil = "/x"}`: "a secret is a string",
	} {
		_, err := decode[setting.Secret](text)
		assert.ErrorContains(t, err, want, text)
	}
}
