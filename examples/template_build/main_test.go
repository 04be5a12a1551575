package main

import (
	"os"
	"strings"
	"testing"

	"github.com/quixand/quixand/pkg/quixand"
)

// TestRun runs the program on rootless Podman: an engine without containers
// builds no images.
func TestRun(t *testing.T) {
	if os.Getenv("QS_IMAGE") == "" {
		t.Skip("QS_IMAGE names no image: run the tests with hack/with-host")
	}
	t.Setenv("QS_ROOT", t.TempDir())
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of ", ": FROM " + os.Getenv("QS_IMAGE") + "\n", "\nhello\nmade when it was built\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, &out)
		}
	}
	client, err := quixand.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if left, err := client.Templates().Get(t.Context(), "quixand-example"); err == nil {
		t.Errorf("%s is left", left.Image)
	}
}
