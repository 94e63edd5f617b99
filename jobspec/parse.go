package jobspec

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
	"github.com/zclconf/go-cty/cty"
)

// sourceLimits bound a job file before it is parsed.
var sourceLimits = hclx.Limits{Bytes: 1 << 20, Depth: 64, Chain: 256, Tokens: 100_000}

func (s Source) limits() hclx.Limits {
	l := sourceLimits
	if s.MaxBytes > 0 {
		l.Bytes = s.MaxBytes
	}
	return l
}

// Parse parses a job file. The error lists every problem with its place; it is
// of kind api.ErrInvalid, or api.ErrTooLarge when the file is too large.
func Parse(ctx context.Context, src Source) (result *Result, err error) {
	if limit := src.limits().Bytes; len(src.Data) > limit {
		return nil, api.Errorf(api.ErrTooLarge, "%s: the job file has %d bytes; at most %d are allowed", src.Name, len(src.Data), limit)
	}
	if src.JSON || isAPIForm(src.Data) {
		return parseAPIForm(src)
	}
	file, problems := hclx.Parse(src.Name, src.Data, src.limits())
	if problems.Err() != nil {
		return nil, invalid(problems)
	}
	p := &parser{src: src, eval: &evaluator{budget: newBudget(ctx), file: file, failed: map[string]bool{}}}
	p.tree = &treeBuilder{eval: p.eval, positions: map[string]hcl.Range{}, near: map[string]string{}}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exceeded:
			result, err = nil, p.exhausted(r)
		default:
			panic(r)
		}
	}()
	return p.parse()
}

// exhausted gives the error of an evaluation that the budget ended, with the
// problems that were found before.
func (p *parser) exhausted(r exceeded) error {
	last := hclx.Problem{File: p.src.Name, Message: r.reason}
	if b := p.eval.budget; b.file != nil {
		last = b.file.At(b.at, "%s", r.reason)
	}
	return invalid(append(append(p.problems, p.tree.problems...), last))
}

// parser parses one file in HCL or its JSON syntax.
type parser struct {
	src      Source
	eval     *evaluator
	tree     *treeBuilder
	problems hclx.Problems
	warnings []string

	variables []*variable
	locals    []attribute
	job       *block
}

func (p *parser) addf(at hcl.Range, format string, args ...any) {
	p.problems = append(p.problems, p.eval.file.At(at, format, args...))
}

func (p *parser) parse() (*Result, error) {
	p.top()
	p.eval.scope = &hcl.EvalContext{
		Functions: functions(p.eval.budget, p.src),
		Variables: map[string]cty.Value{},
	}
	p.setVariables()
	p.setLocals()
	if p.job == nil {
		if len(p.problems) == 0 {
			p.problems = append(p.problems, hclx.Problem{File: p.src.Name, Message: `the file has no job block: write job "NAME" { … }`})
		}
		return nil, invalid(p.problems)
	}
	t := p.tree
	tree := t.object("job", p.job.body, jobSpec(), "", p.eval.scope)
	p.problems = append(p.problems, t.problems...)
	if len(p.job.labels) == 1 {
		if tree["ID"] == nil {
			tree["ID"] = p.job.labels[0]
			t.positions["ID"] = p.job.at
		}
		if tree["Name"] == nil {
			tree["Name"] = p.job.labels[0]
			t.positions["Name"] = p.job.at
		}
	}
	t.positions[""] = p.job.at
	job, wrong := api.JobFromTree(tree)
	r := &Result{Job: job, Warnings: append(p.warnings, t.warnings...), file: p.eval.file, Positions: positionsOf(p.src.Name, t.positions)}
	p.problems = append(p.problems, r.locate(wrong)...)
	if p.problems.Err() != nil {
		if job != nil {
			p.problems = append(p.problems, r.written(job.Validate(api.ValidateLimits{}), p.problems)...)
		}
		return nil, invalid(p.problems)
	}
	r.Submission = p.submission("hcl2")
	return r, nil
}

var topKinds = map[string]int{"variable": 1, "variables": 0, "locals": 0, "job": 1}

// top sorts the blocks of the file.
func (p *parser) top() {
	attrs, blocks, problems := p.root().content(topKinds)
	p.problems = append(p.problems, problems...)
	known := []string{"job", "variable", "variables", "locals"}
	for _, a := range attrs {
		q := p.eval.file.At(a.at, "attribute %s has no place outside of the job block", quote(a.name))
		q.Suggest = hclx.Nearest(a.name, known)
		p.problems = append(p.problems, q)
	}
	for _, b := range blocks {
		p.topBlock(b, known)
	}
}

func (p *parser) topBlock(b block, known []string) {
	if labels, ok := topKinds[b.kind]; ok && labels != len(b.labels) {
		if labels == 1 {
			p.addf(b.at, "block %s needs one label: write %s \"NAME\" { … }", quote(b.kind), b.kind)
		} else {
			p.addf(b.at, "block %s takes no label", quote(b.kind))
		}
		return
	}
	switch b.kind {
	case "variable":
		p.declare(b)
	case "variables":
		attrs, more, problems := b.body.content(nil)
		p.problems = append(p.problems, problems...)
		for _, x := range more {
			p.addf(x.at, "block %s has no place in variables: write variable %q { … }", quote(x.kind), x.kind)
		}
		for _, a := range attrs {
			p.add(&variable{name: a.name, at: a.at, ty: cty.DynamicPseudoType, fallback: &a.expr, nullable: true})
		}
	case "locals":
		attrs, more, problems := b.body.content(nil)
		p.problems = append(p.problems, problems...)
		for _, x := range more {
			p.addf(x.at, "block %s has no place in locals: write %s = { … }", quote(x.kind), x.kind)
		}
		p.locals = append(p.locals, attrs...)
	case "job":
		if p.job != nil {
			p.addf(b.at, "a file holds one job; job %s comes after job %s", quote(b.labels[0]), quote(p.job.labels[0]))
			return
		}
		p.job = &b
	default:
		q := p.eval.file.At(b.at, "block %s has no place outside of the job block", quote(b.kind))
		q.Suggest = hclx.Nearest(b.kind, known)
		p.problems = append(p.problems, q)
	}
}

func (p *parser) root() body {
	f := p.eval.file
	if native, ok := f.Body.(*hclsyntax.Body); ok {
		return nativeBody{f, native}
	}
	return jsonRoot{f}
}

// jsonRoot is the outermost object of the JSON syntax.
type jsonRoot struct{ file *hclx.File }

func (j jsonRoot) place() hcl.Range { return j.file.Body.MissingItemRange() }

func (j jsonRoot) content(kinds map[string]int) ([]attribute, []block, hclx.Problems) {
	props, diags := j.file.Body.JustAttributes()
	if diags.HasErrors() {
		return nil, nil, j.file.Problems(diags)
	}
	var attrs []attribute
	var blocks []block
	var problems hclx.Problems
	for name, a := range props {
		if name == "//" {
			continue
		}
		inner := jsonBody{j.file, a.Expr}
		if labels, ok := kinds[name]; ok {
			bs, ps := inner.blocks(block{kind: name, at: a.NameRange}, a.Expr, labels)
			blocks, problems = append(blocks, bs...), append(problems, ps...)
			continue
		}
		expr, ps := inner.expression(a.Expr)
		attrs, problems = append(attrs, attribute{name, a.NameRange, expr}), append(problems, ps...)
	}
	sortAttributes(attrs)
	sortBlocks(blocks)
	return attrs, blocks, problems
}

func (p *parser) submission(format string) *api.JobSubmission {
	s := &api.JobSubmission{Source: string(p.src.Data), Format: format, VariableFlags: p.src.VarFlags}
	for _, f := range p.src.VarFiles {
		if s.Variables != "" {
			s.Variables += "\n"
		}
		s.Variables += string(f.Data)
	}
	return s
}

// invalid makes an error of kind api.ErrInvalid of problems, each once, in the
// order of the source.
func invalid(problems hclx.Problems) error {
	problems = problems.Sort()
	if len(problems) > maxProblems {
		rest := len(problems) - maxProblems
		problems = append(problems[:maxProblems:maxProblems], hclx.Problem{Message: fmt.Sprintf("… and %d more problems", rest)})
	}
	return &Error{problems}
}

// maxProblems is how many problems of a file are listed.
const maxProblems = 100
