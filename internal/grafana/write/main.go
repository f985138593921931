// Command write writes the dashboards as JSON into a folder.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/clusterload/clusterload/internal/grafana"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	for _, d := range grafana.Dashboards() {
		b, err := d.JSON()
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], d.Name+".json"), b, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "write:", err)
			os.Exit(1)
		}
	}
}
