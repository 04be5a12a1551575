package serverapi

import (
	"net/http"

	"github.com/quixand/quixand/pkg/adapters"
)

// Kinds is the one table between the kinds of error and HTTP's statuses, for
// both ends: the first row of a kind or a status counts.
var Kinds = []struct {
	Kind   error
	Status int
}{
	{adapters.ErrNotFound, http.StatusNotFound},
	{adapters.ErrConflict, http.StatusConflict},
	{adapters.ErrExists, http.StatusConflict},
	{adapters.ErrInvalid, http.StatusBadRequest},
	{adapters.ErrPermission, http.StatusForbidden},
	{adapters.ErrPermission, http.StatusUnauthorized},
	{adapters.ErrTimeout, http.StatusGatewayTimeout},
	{adapters.ErrExhausted, http.StatusTooManyRequests},
	{adapters.ErrExhausted, http.StatusRequestEntityTooLarge},
	{adapters.ErrExhausted, http.StatusInsufficientStorage},
	{adapters.ErrUnsupported, http.StatusNotImplemented},
	{adapters.ErrUnavailable, http.StatusServiceUnavailable},
	{adapters.ErrUnavailable, http.StatusBadGateway},
	{adapters.ErrInternal, http.StatusInternalServerError},
}
