package cli

import (
	"errors"
	"fmt"
	"sync"
)

// atOnce keeps a long list from flooding the engine.
const atOnce = 8

// onEach does something to each of many sandboxes and returns an error or nil
// for each.
func onEach(ids []string, do func(id string) error) []error {
	errs := make([]error, len(ids))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, id := range ids {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(id)
		})
	}
	all.Wait()
	return errs
}

// doneTo does something to each of many sandboxes, prints those with which it
// went well, and fails for the others.
func (a *App) doneTo(ids []string, quiet bool, do func(id string) error) error {
	errs := onEach(ids, do)
	for i, id := range ids {
		if errs[i] != nil || quiet || a.global.json {
			continue
		}
		if _, err := fmt.Fprintln(a.Stdout, id); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
