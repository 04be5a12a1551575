package agentclient

import (
	"context"

	"github.com/quixand/quixand/internal/agentapi"
	"github.com/quixand/quixand/internal/envd/filesystem"
)

// Stat describes the entry at path; a symbolic link is not followed.
func (c *Client) Stat(ctx context.Context, path string) (*Entry, error) {
	res, err := unary(ctx, c.procedures().stat, &filesystem.StatRequest{Path: path})
	if err != nil {
		return nil, err
	}
	return parseEntry(res.GetEntry())
}

// List describes what is in a directory, depth levels deep, each directory
// before its content.
func (c *Client) List(ctx context.Context, path string, depth int) ([]*Entry, error) {
	res, err := unary(ctx, c.procedures().listDir, &filesystem.ListDirRequest{Path: path, Depth: uint32(depth)})
	if err != nil {
		return nil, err
	}
	return parseEntries(res.GetEntries())
}

// MakeDir creates a directory, with its parents if told.
func (c *Client) MakeDir(ctx context.Context, path string, parents bool) error {
	_, err := unary(ctx, c.procedures().makeDir, &filesystem.MakeDirRequest{Path: path}, agentapi.HeaderParents, unless(parents))
	return err
}

// Move renames an entry, replacing a file at the destination.
func (c *Client) Move(ctx context.Context, from, to string) error {
	_, err := unary(ctx, c.procedures().move, &filesystem.MoveRequest{Source: from, Destination: to})
	return err
}

// Remove removes an entry. Recursively it takes a directory with its content,
// and a missing path is fine; otherwise both are refused.
func (c *Client) Remove(ctx context.Context, path string, recursive bool) error {
	_, err := unary(ctx, c.procedures().remove, &filesystem.RemoveRequest{Path: path}, agentapi.HeaderRecursive, unless(recursive))
	return err
}

func unless(b bool) string {
	if b {
		return ""
	}
	return agentapi.No
}
