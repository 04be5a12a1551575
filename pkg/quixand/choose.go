package quixand

import (
	"strings"

	"github.com/quixand/quixand/pkg/adapters"
)

// chooseAdapter names an adapter where none is named, and returns what was looked
// at for that.
func (c *Config) chooseAdapter() (tried []Check, err error) {
	if c.Adapter != "" {
		return nil, nil
	}
	c.Adapter, tried, err = c.Registry.Choose(c.forAdapter())
	return tried, err
}

// forAdapter is what an adapter is told of the configuration.
func (c *Config) forAdapter() adapters.Config {
	return adapters.Config{
		Root:    c.Root,
		Runtime: c.Runtime,
		Image:   c.Image,
		Logger:  c.Logger.Named(c.Adapter),
	}
}

// checkChoice tells what was chosen among several engines.
func (c *Client) checkChoice() []Check {
	if len(c.tried) == 0 {
		return nil
	}
	var why []string
	for _, t := range c.tried {
		why = append(why, t.Name+": "+t.Detail)
	}
	return []Check{{
		Name: "adapter", Status: adapters.CheckOK,
		Detail: c.cfg.Adapter + " was chosen (" + strings.Join(why, "; ") + ")",
	}}
}
