package fleet

import "github.com/seraihq/serai/api"

// Weights is a number for every row that depends on its node alone. Of is by
// row and has a meaning for rows with a node.
type Weights struct {
	weigh func(*api.Node) float64
	Of    []float64
}

// Weights gives the weights that are kept under a key; make is asked for the
// weigher when there are none, which must depend on the key and the node alone.
// The result must not be changed and holds until nodes change.
func (f *Fleet) Weights(key string, make func() func(*api.Node) float64) *Weights {
	if w := f.weights[key]; w != nil {
		return w
	}
	if len(f.weights) >= maxShapes {
		clear(f.weights)
	}
	w := &Weights{weigh: make()}
	w.grow(len(f.nodes))
	for row := range f.live.Rows() {
		w.Of[row] = w.weigh(f.nodes[row])
	}
	f.weights[key] = w
	return w
}

func (w *Weights) grow(rows int) { w.Of = append(w.Of, make([]float64, rows-len(w.Of))...) }
