package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/quixand/quixand/pkg/templates/stock"
)

// inStock says what each stock template can do, as scripts and what they print.
var inStock = map[string][]struct{ script, prints string }{
	"base": {
		{"bash -c 'echo ${BASH_VERSION%%.*}'", `^[5-9]$`},
		{"python3 -c 'print(6*7)' && python -m pip --version", `^42\npip `},
		{"git init -q . && git status --short --branch", `^## `},
		{"curl --version", `^curl `},
	},
	"python-data": {
		{"python3 -c 'import numpy, pandas; print(pandas.DataFrame({\"a\": numpy.arange(4)}).a.sum())'", `^6$`},
		{"python3 -c 'import matplotlib.pyplot as p; p.plot([1, 2]); p.savefig(\"a.png\")' && head -c 4 a.png | tail -c 3", `^PNG$`},
		{"python3 -c 'import bs4, lxml, openpyxl, PIL, requests, tabulate, yaml; print(1)'", `^1$`},
	},
	"code-interpreter-v1": {
		{"python3 -c 'import matplotlib, numpy, pandas; print(pandas.DataFrame({\"a\": numpy.arange(4)}).a.sum())'", `^6$`},
		{"git --version && curl --version", `^git `},
	},
	"node": {
		{"node -e 'console.log(6*7)' && npm --version", `^42\n\d+\.`},
		{"npm init --yes >log && node -p 'require(\"./package.json\").version'", `^1\.0\.0$`},
	},
	"go": {
		{`mkdir hello && cd hello && go mod init hello 2>log && printf 'package main\nfunc main() { println(6*7) }\n' >main.go && go run . 2>&1`, `^42$`},
	},
	"minimal": {
		{"echo $((6*7)) | tr 4 5 | sed s/5/4/ && ls / | xargs", `^42\nbin dev etc home `},
		{"busybox | head -n 1", `^BusyBox `},
	},
}

// Their layers are in the store: hack/stock-templates has built them where
// packages can be had.
var _ = Describe("stock templates", needsEngine, func() {
	It("are all looked at", func() {
		var looked []string
		for name := range inStock {
			looked = append(looked, name)
		}
		Expect(stock.Names()).To(ConsistOf(looked))
	})
	for _, name := range stock.Names() {
		describeStock(name)
	}
	It("are told how to be built to who wants one that is not", limit, func(ctx SpecContext) {
		built := strings.Fields(ok(ctx, "templates", "ls", "--quiet"))
		i := slices.IndexFunc(stock.Names(), func(name string) bool { return !slices.Contains(built, name) })
		if i < 0 {
			Skip("lacks a stock template that its user has not built")
		}
		name := stock.Names()[i]
		for _, args := range [][]string{{"create", "--template", name}, {"templates", "show", name}} {
			out := qs(ctx, args...)
			Expect(out.Code).To(Equal(3))
			Expect(out.Stderr).To(HaveSuffix("\nhint: build it with: qs templates build --stock " + name + "\n"))
		}
	})
	It("are listed to who names one that does not exist", limit, func(ctx SpecContext) {
		out := qs(ctx, "templates", "build", "--stock", "none")
		Expect(out.Code).To(Equal(3))
		Expect(out.Stderr).To(ContainSubstring("hint: there are " + strings.Join(stock.Names(), ", ")))
		Expect(qs(ctx, "templates", "build", "--stock", "base", ".").Code).To(Equal(2))
	})
})

func describeStock(stockName string) {
	Describe(stockName, Ordered, ContinueOnFailure, func() {
		var name, id string
		BeforeAll(func(ctx SpecContext) {
			Expect(qs(ctx, "templates", "show", "quixand-stock-"+stockName).Code).To(BeZero(), "build it with: hack/stock-templates")
			name = "qs-e2e-" + strings.ToLower(rand.Text())[:10]
			ok(ctx, "templates", "build", "--stock", stockName, "--name", name, "--build-arg", "BASE="+os.Getenv("QS_IMAGE"), "--quiet")
			DeferCleanup(func(ctx SpecContext) { ok(ctx, "templates", "rm", "--force", name) })
			id = create(ctx, "--template", name)
		}, NodeTimeout(time.Minute))

		It("has the user, a home and a directory to work in", limit, func(ctx SpecContext) {
			Expect(ok(ctx, "exec", id, "--", "sh", "-c", "id -u; id -g; id -un; id -gn; cd; pwd")).To(Equal("1000\n1000\nuser\nuser\n/home/user"))
			Expect(ok(ctx, "exec", id, "--", "sh", "-c", "pwd; touch x ~/x && stat -c %U . ~ x ~/x")).To(Equal("/workspace\nuser\nuser\nuser\nuser"))
		})
		for _, can := range inStock[stockName] {
			It("does: "+can.script, limit, func(ctx SpecContext) {
				Expect(ok(ctx, "exec", id, "--", "sh", "-c", can.script)).To(MatchRegexp(can.prints))
			})
		}
		It("starts as fast as the image it begins with", limit, func(ctx SpecContext) {
			theirs, ours := time.Hour, time.Hour
			eventually(ctx, func() bool {
				theirs, ours = min(theirs, timeToRun(ctx, os.Getenv("QS_IMAGE"))), min(ours, timeToRun(ctx, name))
				return ours <= theirs+theirs/5
			}).Should(BeTrue(), func() string { return fmt.Sprintf("the fastest of many: %v, and %v for the image", ours, theirs) })
		})
		if stockName == "minimal" {
			It("is small", limit, func(ctx SpecContext) {
				var shown struct{ Bytes int64 }
				Expect(json.Unmarshal([]byte(ok(ctx, "templates", "show", "--json", name)), &shown)).To(Succeed())
				Expect(shown.Bytes).To(BeNumerically("<", 4<<20))
			})
		}
	})
}

// timeToRun is how long qs takes for a command in a sandbox of its own.
func timeToRun(ctx SpecContext, image string) time.Duration {
	begin := time.Now()
	ok(ctx, "run", "--network", "none", "--template", image, "--", "sh", "-c", ":")
	return time.Since(begin)
}
