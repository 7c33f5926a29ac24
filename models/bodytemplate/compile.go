// Package bodytemplate makes a message's body from a template that a user wrote: Go's text/template with a short list of
// functions over a view of plain values.
//
// It promises: whatever the template and the view, Compile and Execute come to an end in a bounded time and memory, touch
// nothing but the view, and say on which line of the template something is wrong. For that the parsed template is rewritten
// before it is run: every access to a field, every loop and everything that is printed goes through a function of this package
// that counts. No method of any value can be reached.
package bodytemplate

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

// Bounds of a template.
const (
	MaxSource = 64 << 10 // bytes
	maxDepth  = 50       // of blocks and parentheses in each other
)

// name is what the parser calls a template in its errors.
const name = "bodyTemplate"

// Template is a template that is fit to be run, any number of times at once.
type Template struct {
	source string
	code   *template.Template
	places []place
}

// place is where in the template a value is printed.
type place struct {
	line int    // 1 and up
	text string // the pipeline as it was written
}

// Error says what is wrong with a template.
type Error struct {
	Line    int // of the template, 1 and up; 0 = not known
	Message string
	// TooMuch says that nothing is wrong but the size of what it was given.
	TooMuch bool
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return "line " + strconv.Itoa(e.Line) + ": " + e.Message
}

// Compile reads a template. Its errors are of type *Error.
func Compile(source string) (*Template, error) {
	switch {
	case len(source) > MaxSource:
		return nil, &Error{Message: fmt.Sprintf("is %d bytes; at most %d are allowed", len(source), MaxSource)}
	case strings.TrimSpace(source) == "":
		return nil, &Error{Message: "is empty: leave it out to send the usual body"}
	case !utf8.ValidString(source) || strings.ContainsRune(source, 0):
		return nil, &Error{Message: "is not valid UTF-8, or contains a NUL character"}
	}
	known := make(map[string]any, len(functions))
	for _, f := range functions {
		known[f.name] = f.name
	}
	trees, err := parse.Parse(name, source, "", "", known)
	if err != nil {
		return nil, explain(err)
	}
	c := &compiler{source: source}
	if len(trees) != 1 || trees[name] == nil {
		at := 0
		if place := definition.FindStringIndex(source); place != nil {
			at = place[0]
		}
		return nil, c.refuse(parse.Pos(at), notAllowed)
	}
	tree := trees[name]
	if err := c.list(tree.Root, 0); err != nil {
		return nil, err
	}
	// Within it the dot is the view; $ stays the run itself, which no template gets hold of.
	frame, err := parse.Parse(name, "{{with view $}}{{end}}", "", "", map[string]any{"view": 0})
	if err != nil {
		return nil, explain(err)
	}
	frame[name].Root.Nodes[0].(*parse.WithNode).List = tree.Root
	tree.Root = frame[name].Root
	code, err := template.New(name).Funcs(calls).AddParseTree(name, tree)
	if err != nil {
		return nil, explain(err)
	}
	return &Template{source: source, code: code, places: c.places}, nil
}

const notAllowed = "define, block and template are not allowed: write it out where it is needed"

// definition finds where a template within the template begins.
var definition = regexp.MustCompile(`\{\{(- )?\s*(define|block)\b`)

// located is how the library says where an error is.
var located = regexp.MustCompile(`(?s)^template: ` + name + `:(\d+)(?::\d+)?: (?:executing "` + name + `" at <.*?>: )?(.*)$`)

// explain puts an error of the library into the words of ours.
func explain(err error) *Error {
	e := &Error{Message: err.Error()}
	if m := located.FindStringSubmatch(e.Message); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Message = m[2]
	}
	if strings.HasPrefix(e.Message, "function ") && strings.HasSuffix(e.Message, " not defined") {
		e.Message += ": there are " + functionNames()
	}
	return e
}

// compiler walks a parsed template, refuses what is not allowed, and rewrites the rest.
type compiler struct {
	source string
	places []place
	nodes  int // seen in the innermost loop so far
}

func (c *compiler) lineOf(pos int) int {
	return 1 + strings.Count(c.source[:max(0, min(pos, len(c.source)))], "\n")
}

func (c *compiler) refuse(at parse.Pos, format string, args ...any) error {
	return &Error{Line: c.lineOf(int(at)), Message: fmt.Sprintf(format, args...)}
}

func (c *compiler) list(l *parse.ListNode, depth int) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := c.node(n, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) node(n parse.Node, depth int) error {
	if c.nodes++; depth > maxDepth {
		return c.refuse(n.Position(), "more than %d blocks in each other", maxDepth)
	}
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	case *parse.ActionNode:
		text := n.Pipe.String()
		if err := c.pipe(n.Pipe, depth); err != nil || len(n.Pipe.Decl) > 0 {
			return err
		}
		at := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: n.Pos, IsInt: true, Int64: int64(len(c.places)), Text: strconv.Itoa(len(c.places))}
		c.places = append(c.places, place{c.lineOf(int(n.Pos)), text})
		n.Pipe.Cmds = append(n.Pipe.Cmds, call(n.Pos, "show", at))
		return nil
	case *parse.IfNode:
		return c.branch(&n.BranchNode, depth)
	case *parse.WithNode:
		return c.branch(&n.BranchNode, depth)
	case *parse.RangeNode:
		return c.loop(n, depth)
	}
	return c.refuse(n.Position(), notAllowed)
}

func (c *compiler) branch(b *parse.BranchNode, depth int) error {
	if err := c.pipe(b.Pipe, depth); err != nil {
		return err
	}
	if err := c.list(b.List, depth); err != nil {
		return err
	}
	return c.list(b.ElseList, depth)
}

// loop makes what a loop goes over be looked at, and every turn be counted by the nodes that it walks.
func (c *compiler) loop(n *parse.RangeNode, depth int) error {
	if first := n.Pipe.Cmds[0].Args[0]; len(n.Pipe.Cmds) == 1 {
		switch first.(type) {
		case *parse.NumberNode, *parse.StringNode, *parse.BoolNode:
			return c.refuse(first.Position(), "range over %.40s: it goes over .Alerts, .Details and what is in them", first)
		}
	}
	if err := c.pipe(n.Pipe, depth); err != nil {
		return err
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, call(n.Pos, "each"))
	outside := c.nodes
	c.nodes = 1
	if err := c.list(n.List, depth); err != nil {
		return err
	}
	weight := &parse.NumberNode{NodeType: parse.NodeNumber, Pos: n.Pos, IsInt: true, Int64: int64(c.nodes), Text: strconv.Itoa(c.nodes)}
	c.nodes = outside
	tick := &parse.ActionNode{NodeType: parse.NodeAction, Pos: n.Pos, Line: n.Line, Pipe: pipeOf(n.Pos, call(n.Pos, "tick", weight))}
	n.List.Nodes = slices.Insert(n.List.Nodes, 0, parse.Node(tick))
	return c.list(n.ElseList, depth)
}

func (c *compiler) pipe(p *parse.PipeNode, depth int) error {
	if depth > maxDepth {
		return c.refuse(p.Pos, "more than %d blocks and parentheses in each other", maxDepth)
	}
	for _, v := range p.Decl {
		if v.Ident[0] == "$" {
			return c.refuse(v.Pos, "$ is the whole view and cannot be set: choose another name, such as $x")
		}
	}
	for i, cmd := range p.Cmds {
		if err := c.command(cmd, i > 0, depth); err != nil {
			return err
		}
	}
	return nil
}

// command is a function with its arguments, or a value by itself. piped says that one more value comes from the left.
func (c *compiler) command(cmd *parse.CommandNode, piped bool, depth int) error {
	c.nodes++
	first, args := cmd.Args[0], cmd.Args[1:]
	f, isFunction := first.(*parse.IdentifierNode)
	if !isFunction {
		if _, isNil := first.(*parse.NilNode); isNil || piped || len(args) > 0 {
			return c.refuse(first.Position(), "%.40s is not a function: there are %s", first, functionNames())
		}
		value, err := c.value(first, depth)
		cmd.Args[0] = value
		return err
	}
	known, given := functionNamed(f.Ident), len(args)
	if piped {
		given++
	}
	if given < known.least || given > known.most {
		return c.refuse(f.Pos, "%s takes %s", known.name, known.takes)
	}
	for i, a := range args {
		value, err := c.value(a, depth)
		if err != nil {
			return err
		}
		args[i] = value
	}
	if !known.builtin {
		cmd.Args = slices.Insert(cmd.Args, 1, theRun(f.Pos))
	}
	return nil
}

// value rewrites an argument: what reads a field becomes a call of get.
func (c *compiler) value(n parse.Node, depth int) (parse.Node, error) {
	c.nodes++
	switch n := n.(type) {
	case *parse.DotNode, *parse.NilNode, *parse.BoolNode, *parse.StringNode:
		return n, nil
	case *parse.NumberNode:
		if !n.IsInt && !n.IsFloat {
			return nil, c.refuse(n.Pos, "%.40s is no number that can be used here", n.Text)
		}
		return n, nil
	case *parse.FieldNode:
		return c.get(n.Pos, &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident), nil
	case *parse.VariableNode:
		var base parse.Node = &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}
		if n.Ident[0] == "$" {
			base = pipeOf(n.Pos, call(n.Pos, "view"))
		}
		return c.get(n.Pos, base, n.Ident[1:]), nil
	case *parse.ChainNode:
		base, err := c.value(n.Node, depth+1)
		if err != nil {
			return nil, err
		}
		return c.get(n.Pos, base, n.Field), nil
	case *parse.PipeNode:
		if len(n.Decl) > 0 {
			return nil, c.refuse(n.Pos, "a variable cannot be set within parentheses")
		}
		return n, c.pipe(n, depth+1)
	case *parse.IdentifierNode:
		return nil, c.refuse(n.Pos, "%s with what it takes must stand in parentheses here", n.Ident)
	}
	return nil, c.refuse(n.Position(), "%.40s is not allowed here", n)
}

func (c *compiler) get(pos parse.Pos, base parse.Node, names []string) parse.Node {
	if len(names) == 0 {
		return base
	}
	args := []parse.Node{base}
	for _, n := range names {
		c.nodes++
		args = append(args, &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: strconv.Quote(n), Text: n})
	}
	return pipeOf(pos, call(pos, "get", args...))
}

// call is a command that calls one of our functions with the run and these arguments.
func call(pos parse.Pos, function string, args ...parse.Node) *parse.CommandNode {
	all := append([]parse.Node{parse.NewIdentifier(function).SetPos(pos), theRun(pos)}, args...)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: all}
}

func pipeOf(pos parse.Pos, cmd *parse.CommandNode) *parse.PipeNode {
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{cmd}}
}

// theRun is the variable that holds the data that Execute is called with.
func theRun(pos parse.Pos) parse.Node {
	return &parse.VariableNode{NodeType: parse.NodeVariable, Pos: pos, Ident: []string{"$"}}
}
