package graph

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
)

const (
	maxQueryTokens = 100_000 // of a query; createAlerts with 1000 literal alerts has less
	maxQuerySteps  = 250_000 // of validation, see reading
	fewSteps       = 5_000   // that cost the caller nothing: ordinary queries have some hundred
	stepsPerField  = 4       // that cost as much as a field that is answered
)

// reading is what it takes to read a query, found out from its tokens alone. Validation compares every two fields with the same
// name in the same place of the answer, their arguments, and every two uses of fragments; and it walks through all there is for
// each operation and fragment. A query of 60 KB could so keep a processor for half a minute, and one of 1 MB for hours.
type reading struct {
	tokens int
	steps  int // of validation, about
}

// spot is where fields stand in the answer that have the same name there.
type spot struct {
	within int // the number of the field around it; anywhere where fragments make that hard to say
	name   string
}

const anywhere = -1

// spotted is what was found at a spot.
type spotted struct{ number, fields, arguments int }

// read looks at a query until its end, or until it is too much. What is wrong with it the parser says.
func read(query string) (r reading) {
	if len(query) > maxQueryTokens { // to count the tokens takes an eighth of the time of all else
		if n := countTokens(query); n > maxQueryTokens {
			return reading{tokens: n}
		}
	}
	var (
		spots                       = make(map[spot]*spotted, 64)
		definitions, nodes, spreads int
		apart, together             int   // steps without and with fragments
		around                      []int // the numbers of the fields that a token stands within
		parens, inside              int   // parentheses, and brackets within them
		field, byName               = new(spotted), new(spotted)
		opens                       int // the number of the field that the next brace belongs to
		last, before                lexer.Token
	)
	current := func() int {
		if len(around) == 0 {
			return 0
		}
		return around[len(around)-1]
	}
	at := func(within int, name string) *spotted {
		s := spots[spot{within, name}]
		if s == nil {
			s = &spotted{number: len(spots) + 1}
			spots[spot{within, name}] = s
		}
		return s
	}
	for tokens := lexer.New(&ast.Source{Input: query}); r.tokens <= maxQueryTokens; r.tokens++ {
		token, err := tokens.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			break
		}
		switch {
		case token.Kind == lexer.ParenL:
			parens++
		case token.Kind == lexer.ParenR:
			parens, inside = max(0, parens-1), 0
		case parens > 0:
			switch token.Kind {
			case lexer.BraceL, lexer.BracketL:
				inside++
			case lexer.BraceR, lexer.BracketR:
				inside--
			case lexer.Colon:
				if inside == 0 && len(around) > 0 {
					apart += field.arguments
					together += byName.arguments
					field.arguments++
					byName.arguments++
				}
			}
		case token.Kind == lexer.BraceL:
			if len(around) == 0 {
				definitions++
				opens = 0
			}
			around = append(around, opens)
			opens = current()
		case token.Kind == lexer.BraceR:
			around = around[:max(0, len(around)-1)]
			opens = current()
		case token.Kind == lexer.Spread:
			nodes++
			opens = current()
		case token.Kind == lexer.Name && last.Kind == lexer.Spread && token.Value != "on":
			together += spreads
			spreads++
		case token.Kind == lexer.Name && len(around) > 0 && last.Kind != lexer.Spread && last.Kind != lexer.At &&
			last.Kind != lexer.Colon && (before.Kind != lexer.Spread || last.Value != "on"): // a field, by its name or alias
			nodes++
			field, byName = at(current(), token.Value), at(anywhere, token.Value)
			apart += field.fields
			together += byName.fields
			field.fields++
			byName.fields++
			opens = field.number
		}
		last, before = token, last
	}
	r.steps = apart
	if spreads > 0 {
		r.steps = together
	}
	r.steps += definitions * nodes
	return r
}

// countTokens counts as far as maxQueryTokens, and one more.
func countTokens(query string) (n int) {
	for tokens := lexer.New(&ast.Source{Input: query}); n <= maxQueryTokens; n++ {
		if token, err := tokens.ReadToken(); err != nil || token.Kind == lexer.EOF {
			break
		}
	}
	return n
}

// due is what the reading of a query costs the caller, in fields.
func (r reading) due(query string) (cost int) {
	if len(query) > maxKeptQuery {
		cost = len(query) / textCost
	}
	if r.steps > fewSteps {
		cost += r.steps / stepsPerField
	}
	return cost
}
