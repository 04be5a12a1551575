package e2b

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Every script in js/ is an area, and every test in it a spec. Their names are
// read from the source, for specs must be known before anything can run.
var _ = func() bool {
	files, _ := filepath.Glob("js/*.test.mjs")
	for _, file := range files {
		describe(strings.TrimSuffix(filepath.Base(file), ".test.mjs"), file)
	}
	return true
}()

var named = regexp.MustCompile(`(?m)^test\('([^']+)'`)

// limit bounds a case. Most take less than a second.
var limit = func() SpecTimeout {
	if os.Getenv("QS_TEST_SOAK") != "" {
		return SpecTimeout(10 * time.Minute)
	}
	return SpecTimeout(time.Minute)
}()

func describe(area, file string) {
	source, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	Describe(area, Ordered, ContinueOnFailure, func() {
		n := &node{script: filepath.Base(file)}
		var names []string
		It("runs every case", limit, func(ctx SpecContext) {
			Expect(n.start(ctx)).To(Equal(names))
		})
		for _, match := range named.FindAllStringSubmatch(string(source), -1) {
			names = append(names, match[1])
			It(match[1], limit, func(ctx SpecContext) {
				Expect(n.run(ctx, match[1])).To(Succeed())
			})
		}
		AfterAll(n.stop, NodeTimeout(time.Minute))
	})
}
