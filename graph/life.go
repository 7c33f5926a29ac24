package graph

import (
	"context"
	"errors"

	"github.com/rustbucket/alerts/models"
)

// changeAlert does something with one alert.
func (r *Resolver) changeAlert(ctx context.Context, id int64, c models.AlertChange) (*models.Alert, error) {
	if err := c.Valid(); err != nil {
		return nil, err
	}
	alert, told, err := r.Store.ChangeAlert(ctx, id, c)
	r.Dispatcher.Wake(told)
	return alert, err
}

// changeAlerts does something with several alerts, and says how many changed. What was done before an error is told of all the same.
func (r *Resolver) changeAlerts(ctx context.Context, which models.AlertSelection, c models.AlertChange) (int, error) {
	if err := c.Valid(); err != nil {
		return 0, err
	}
	if err := which.Valid("which"); err != nil {
		return 0, err
	}
	n, told, err := r.Store.ChangeAlerts(ctx, which, c)
	r.Dispatcher.Wake(told)
	var own *models.Error
	if errors.As(err, &own) && own.Field == "id" {
		shown := *own
		shown.Field = "which.ids"
		return n, &shown
	}
	return n, err
}
