package graph

import (
	"encoding/json"
	"strconv"

	"github.com/gorilla/websocket"
)

const (
	maxOperations = 100  // under way on one socket
	maxID         = 1024 // bytes of an operation's id
)

// operations are those of one socket, which locks them. Each has a number, by which gqlgen knows it.
type operations struct {
	last  int64             // number of the one that began last
	under map[string]string // the numbers of those under way, by the client's id in JSON
	ids   map[string]string // the client's ids in JSON, by number, until gqlgen has come to an end with them
}

func newOperations() operations {
	return operations{under: make(map[string]string), ids: make(map[string]string)}
}

// begin numbers an operation, or gives the close code for one that must not begin.
func (o *operations) begin(id string) (number string, code int, reason string) {
	key := inJSON(id)
	switch {
	case id == "":
		return "", closeBadRequest, "Invalid message received"
	case len(id) > maxID:
		return "", closeBadRequest, "The id is too long"
	case o.under[key] != "":
		return "", closeDuplicateID, "Subscriber for " + id + " already exists"
	case len(o.under) >= maxOperations:
		return "", websocket.ClosePolicyViolation, "Too many operations at a time"
	}
	o.last++
	number = strconv.FormatInt(o.last, 10)
	o.under[key], o.ids[number] = number, key
	return number, 0, ""
}

// end notes that the client has ended an operation: its id may be used again from now on. The number is none's when there is no such one.
func (o *operations) end(id string) (number string) {
	key := inJSON(id)
	number = o.under[key]
	delete(o.under, key)
	if number == "" {
		return "0"
	}
	return number
}

// say follows what gqlgen says of an operation, for the last time or not: under is whether it was under way, and id the client's id of it
// in JSON, or nothing when that is another's by now.
func (o *operations) say(number string, last bool) (id string, under bool) {
	id = o.ids[number]
	holder := o.under[id] // who has the id by now
	if last {
		delete(o.ids, number)
		if holder == number {
			delete(o.under, id)
		}
	}
	if holder != "" && holder != number {
		return "", false
	}
	return id, holder != ""
}

func inJSON(id string) string {
	b, _ := json.Marshal(id) // a string can always be written
	return string(b)
}
