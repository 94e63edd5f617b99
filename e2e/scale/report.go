package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// row is one line of the table of a cluster's figures: one value, or the spread
// of several.
type row struct {
	Key  string  `json:"key"`
	What string  `json:"-"`
	Unit string  `json:"unit"`
	N    int     `json:"n"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
	Goal float64 `json:"goal,omitempty"`
	// Least says that the goal is a least, for P50, and not a most, for P99.
	Least   bool   `json:"-"`
	Verdict string `json:"verdict,omitempty"`
	Note    string `json:"note,omitempty"`
	Load    string `json:"load"` // average load of the machine when it was measured
}

// report gathers the rows of a run.
type report struct {
	out  io.Writer // progress
	rows []row
}

// add takes a row in and judges it.
func (r *report) add(w row, values ...float64) {
	w.N, w.Load = len(values), loadAverage()
	if len(values) > 0 {
		slices.Sort(values)
		w.P50, w.P99, w.Max = rank(values, 0.5), rank(values, 0.99), values[len(values)-1]
	}
	switch met := w.Least && w.P50 >= w.Goal || !w.Least && w.P99 <= w.Goal; {
	case w.Goal == 0 && w.Verdict == "":
	case w.Verdict != "":
	case len(values) == 0:
		w.Verdict = "not measured"
	case met:
		w.Verdict = "met"
	default:
		w.Verdict = "MISSED"
	}
	r.rows = append(r.rows, w)
	fmt.Fprintln(r.out, w.text())
}

// rank gives the value of sorted values below which a share of them is.
func rank(sorted []float64, share float64) float64 {
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

// say tells how far the run is.
func (r *report) say(format string, args ...any) {
	fmt.Fprintf(r.out, "%s  %s\n", time.Now().UTC().Format("15:04:05"), fmt.Sprintf(format, args...))
}

const tableHead = "| what | goal | n | median | p99 | greatest | load | |\n|---|---|---|---|---|---|---|---|"

func (w *row) text() string {
	goal := ""
	switch {
	case w.Goal != 0 && w.Least:
		goal = "≥ " + number(w.Goal) + " " + w.Unit
	case w.Goal != 0:
		goal = "≤ " + number(w.Goal) + " " + w.Unit
	}
	what := w.What
	if w.Note != "" {
		what += " (" + w.Note + ")"
	}
	load, _, _ := strings.Cut(w.Load, " ")
	return fmt.Sprintf("| %s | %s | %d | %s %s | %s | %s | %s | %s |", what, goal, w.N, number(w.P50), w.Unit, number(w.P99), number(w.Max), load, w.Verdict)
}

func number(x float64) string {
	switch {
	case x != 0 && math.Abs(x) < 10:
		return fmt.Sprintf("%.3g", x)
	case math.Abs(x) < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// print writes the whole table and one line of JSON. It says whether every goal
// was met.
func (r *report) print(out io.Writer, took time.Duration, problem error) bool {
	met := problem == nil
	fmt.Fprintf(out, "\n%s\n", tableHead)
	for i := range r.rows {
		fmt.Fprintln(out, r.rows[i].text())
		met = met && (r.rows[i].Verdict == "met" || r.rows[i].Verdict == "")
	}
	line := struct {
		Took    float64 `json:"seconds"`
		Met     bool    `json:"met"`
		Problem string  `json:"problem,omitempty"`
		Rows    []row   `json:"rows"`
	}{seconds(took), met, "", r.rows}
	if problem != nil {
		line.Problem = problem.Error()
	}
	text, _ := json.Marshal(&line)
	fmt.Fprintf(out, "\n%s\n", text)
	return met
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
