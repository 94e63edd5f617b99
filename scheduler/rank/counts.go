package rank

// counts are numbers by row. The most common evaluation places one allocation of
// a job that has none: while few rows have a number there is no table of all.
type counts struct {
	rows  int
	few   []rowCount
	dense []int32 // nil: few has them
}

type rowCount struct{ row, n int32 }

// mostFew is how many rows are looked through one by one.
const mostFew = 4

func (c *counts) add(row, by int32) {
	if c.dense == nil {
		for i := range c.few {
			if c.few[i].row == row {
				c.few[i].n += by
				return
			}
		}
		if len(c.few) < mostFew {
			c.few = append(c.few, rowCount{row, by})
			return
		}
		c.table()
	}
	c.dense[row] += by
}

func (c *counts) of(row int32) int32 {
	if c.dense != nil {
		return c.dense[row]
	}
	for _, x := range c.few {
		if x.row == row {
			return x.n
		}
	}
	return 0
}

// table gives the numbers of all rows.
func (c *counts) table() []int32 {
	if c.dense == nil {
		c.dense = make([]int32, c.rows)
		for _, x := range c.few {
			c.dense[x.row] = x.n
		}
		c.few = nil
	}
	return c.dense
}
