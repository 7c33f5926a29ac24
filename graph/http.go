package graph

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/rustbucket/alerts/models"
)

// oneAnswer carries an operation by POST, or a query by GET, and its one answer, as GraphQL over HTTP has it
// (https://graphql.github.io/graphql-over-http/draft/). The library's transports answer 422 where the specification wants 200,
// and send data where there must be none. Requests were checked before.
type oneAnswer struct {
	bounds limits
	long   chan struct{} // taken while a long query is parsed: others are not to stand behind several of them
}

// longQuery is how many bytes a query has at least that is parsed alone.
const longQuery = 64 << 10

var _ graphql.Transport = oneAnswer{}

// Supports takes all that nobody before it took.
func (oneAnswer) Supports(r *http.Request) bool {
	return r.Header.Get("Upgrade") == "" && (r.Method == http.MethodPost || r.Method == http.MethodGet)
}

// Do carries out the operation.
func (t oneAnswer) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	params, problem := readParams(r)
	if problem != nil {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	ctx := graphql.StartOperationTrace(r.Context())
	params.ReadTime = graphql.TraceTiming{Start: graphql.Now(), End: graphql.Now()}
	media := answerMedia(r.Header.Values("Accept"))
	op, errs := t.parse(ctx, exec, params)
	if errs != nil {
		status := http.StatusOK // to a client that may not know the newer media type, every answer of GraphQL is a success
		if media == responseMedia {
			status = http.StatusBadRequest
		}
		shown := exec.DispatchError(graphql.WithOperationContext(ctx, op), errs)
		if errs[0].Extensions["code"] == string(models.Overloaded) {
			overloaded(w, media, shown.Errors...)
			return
		}
		answer(w, media, status, errorsOnly{shown.Errors})
		return
	}
	if r.Method == http.MethodGet && op.Operation.Operation != ast.Query {
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, refusal(models.BadUserInput, methodNotAllowed))
		return
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	answer(w, media, http.StatusOK, responses(ctx))
}

// parse makes an operation of a request: it is read, validated and weighed.
func (t oneAnswer) parse(ctx context.Context, exec graphql.GraphExecutor, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	if err := t.bounds.mayRead(ctx, params.Query); err != nil {
		return new(graphql.OperationContext), gqlerror.List{err}
	}
	if len(params.Query) >= longQuery {
		select {
		case t.long <- struct{}{}:
		case <-ctx.Done():
			return new(graphql.OperationContext), gqlerror.List{refusal(models.Overloaded, "the call ended before its query was read")}
		}
		leave := sync.OnceFunc(func() { <-t.long })
		defer leave()
		ctx = context.WithValue(ctx, parsedKey{}, leave)
	}
	return exec.CreateOperationContext(ctx, params)
}

// parsedKey has what is called when an operation is parsed: whoever has to wait then for having spent too much keeps nobody else.
type parsedKey struct{}

// errorsOnly is the answer to an operation that was not carried out: without data, which would say that it was.
type errorsOnly struct {
	Errors gqlerror.List `json:"errors"`
}

// readParams reads the request from the body, or from the address with GET.
func readParams(r *http.Request) (*graphql.RawParams, *gqlerror.Error) {
	params := &graphql.RawParams{Headers: r.Header}
	if r.Method == http.MethodPost {
		if decode(r.Body, params) != nil {
			return nil, refusal(models.BadUserInput, notARequest)
		}
		return params, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || values.Get("query") == "" {
		return nil, refusal(models.BadUserInput, "send the query in the address: /graphql?query=%7Bviewer%7Bname%7D%7D")
	}
	params.Query, params.OperationName = values.Get("query"), values.Get("operationName")
	for name, into := range map[string]*map[string]any{"variables": &params.Variables, "extensions": &params.Extensions} {
		if value := values.Get(name); value != "" && decode(strings.NewReader(value), into) != nil {
			return nil, refusal(models.BadUserInput, name+" is not a JSON object")
		}
	}
	return params, nil
}

// decode keeps numbers as they were written.
func decode(r io.Reader, into any) error {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	return dec.Decode(into)
}

// The media types of an answer.
const (
	jsonMedia     = "application/json"
	responseMedia = "application/graphql-response+json"
)

// answerMedia chooses between the two; the older one unless the client prefers the other.
func answerMedia(accept []string) string {
	weights := map[string]float64{}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
			weight = q
		}
		weights[media] = weight
	}
	if newer := weights[responseMedia]; newer > 0 && newer >= weights[jsonMedia] {
		return responseMedia
	}
	return jsonMedia
}

func answer(w http.ResponseWriter, media string, status int, body any) {
	w.Header().Set("Content-Type", media+"; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
