package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// The statuses of deliveries that are counted.
const (
	pending   = "PENDING"
	delivered = "DELIVERED"
)

// ask sends one GraphQL request and reads the data into into.
func (s *server) ask(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := struct {
		Data   any
		Errors []struct{ Extensions struct{ Code string } }
	}{Data: into}
	switch err := json.Unmarshal(text, &answer); {
	case err == nil && len(answer.Errors) == 0:
		return nil
	case err == nil && answer.Errors[0].Extensions.Code == errOverloaded.Error():
		return errOverloaded
	}
	return fmt.Errorf("the server answered %d: %.500s", resp.StatusCode, text)
}

// createChannel makes a webhook channel that is told about alerts of one type, and gives its id.
func (s *server) createChannel(ctx context.Context, name, url, kind string) (string, error) {
	var made struct{ CreateChannel struct{ ID string } }
	err := s.ask(ctx, `mutation($input: CreateChannelInput!) { createChannel(input: $input) { id } }`, map[string]any{"input": map[string]any{
		"name": name, "alertTypes": []string{kind}, "config": map[string]any{"webhook": map[string]any{"url": url}},
	}}, &made)
	if err != nil {
		return "", fmt.Errorf("creating channel %s: %w", name, err)
	}
	return made.CreateChannel.ID, nil
}

// deactivate takes a channel out of use, which cancels what waits on it.
func (s *server) deactivate(ctx context.Context, channel string) error {
	err := s.ask(ctx, `mutation($id: ID!) { setChannelsActive(ids: [$id], active: false) { id } }`, map[string]any{"id": channel}, new(any))
	if err != nil {
		return fmt.Errorf("deactivating channel %s: %w", channel, err)
	}
	return nil
}

// pause keeps everybody from being told until resume.
func (s *server) pause(ctx context.Context) error {
	if err := s.ask(ctx, `mutation { pauseNotifications(reason: "bench") { since } }`, nil, new(any)); err != nil {
		return fmt.Errorf("pausing notifications: %w", err)
	}
	return nil
}

func (s *server) resume(ctx context.Context) error {
	if err := s.ask(ctx, `mutation { resumeNotifications }`, nil, new(any)); err != nil {
		return fmt.Errorf("resuming notifications: %w", err)
	}
	return nil
}

// count gives the number of deliveries on a channel (empty = on all) that have one of these statuses (none = any).
func (s *server) count(ctx context.Context, channel string, statuses ...string) (int, error) {
	filter := make(map[string]any)
	if channel != "" {
		filter["channelId"] = channel
	}
	if len(statuses) > 0 {
		filter["statuses"] = statuses
	}
	var data struct{ Deliveries struct{ TotalCount int } }
	err := s.ask(ctx, `query($filter: DeliveryFilter) { deliveries(filter: $filter, first: 0) { totalCount } }`, map[string]any{"filter": filter}, &data)
	if err != nil {
		return 0, fmt.Errorf("counting deliveries: %w", err)
	}
	return data.Deliveries.TotalCount, nil
}

// create stores alerts, all or none.
func (s *server) create(ctx context.Context, inputs []map[string]any) error {
	return s.ask(ctx, `mutation($inputs: [CreateAlertInput!]!) { createAlerts(inputs: $inputs) { id } }`, map[string]any{"inputs": inputs}, new(any))
}
