// Package template turns a directory with a Dockerfile into what an engine
// builds an image from: the recipe, the files of its context that it uses, and
// a hash over both, which is the image's tag.
//
// The hash covers the recipe, the build arguments and the target, and of each
// file that the recipe can reach its name, type, permission bits and content.
// Times and owners do not count, nor do files that are ignored or that no
// instruction copies. The same files are streamed to the engine, one after the
// other, however large they are.
//
// It knows no engine: to build is an adapter's, and so is everything about
// images that exist.
package template
