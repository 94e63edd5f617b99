package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// bridgeSetup is how long an allocation waits for its network, beside 100 others.
func bridgeSetup(ctx context.Context, b *bench) ([]figure, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("it takes root")
	}
	m, err := goBench(ctx, "./client/network", "Up$", "20x", b.runs(1))
	if err != nil {
		return nil, err
	}
	for i := range m["ns/op"] {
		m["ns/op"][i] /= 1e6
	}
	return []figure{{what: "set-up of an allocation's bridge network with one port, beside 100 others; means of 20", unit: "ms", budget: 30, values: m["ns/op"]}}, nil
}

// pullImage fetches and unpacks 200 MB from a registry on loopback, in turn with a plain `curl | tar` of the same layers.
func pullImage(ctx context.Context, b *bench) ([]figure, error) {
	m, err := goBench(ctx, "./drivers/container/image", "Pull$", "1x", b.runs(3))
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "`curl | tar` of 4 layers, 200 MB", unit: "s", values: m["curl-tar-s"]},
		{what: "container: pull and unpack of the same image", unit: "s", values: m["pull-s"]},
		{what: "pull and unpack ÷ `curl | tar`", unit: "×", budget: 1.5, values: m["ratio"]},
	}, nil
}

// goBench runs a benchmark of the tree a number of times and gives its values by unit. There are none without an error.
func goBench(ctx context.Context, pkg, name, each string, times int) (map[string][]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", name, "-benchtime", each, "-count", strconv.Itoa(times), "-timeout", "20m", pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %.500s", strings.Join(cmd.Args, " "), err, out)
	}
	values := map[string][]float64{}
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		for i := 2; i+1 < len(f); i += 2 { // name, rounds, then value and unit in turn
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				values[f[i+1]] = append(values[f[i+1]], v)
			}
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s %s measures nothing here: %.300s", pkg, name, out)
	}
	return values, nil
}
