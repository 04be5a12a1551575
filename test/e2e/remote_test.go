package e2e

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

// A qs serve with a certificate of its own, and qs with nothing but its address, a
// key and whom to trust: it finds no engine.
var _ = Describe("qs and a server elsewhere", needsEngine, Ordered, ContinueOnFailure, func() {
	const key = "e2b_0123456789abcdef0123456789abcdef01234567"
	var env []string
	var away string
	elsewhere := func(ctx context.Context, args ...string) outcome {
		GinkgoHelper()
		cmd := command(ctx, args...)
		cmd.Env, cmd.Dir = env, away
		return run(cmd)
	}
	succeeds := func(ctx context.Context, args ...string) string {
		GinkgoHelper()
		out := elsewhere(ctx, args...)
		Expect(out.Code).To(BeZero(), "qs %s\n%s", strings.Join(args, " "), out.Stderr)
		return strings.TrimSuffix(out.Stdout, "\n")
	}
	BeforeAll(func(ctx SpecContext) {
		away = GinkgoT().TempDir()
		cert, certKey := certificate(away)
		server := command(context.WithoutCancel(ctx), "serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", certKey, "--no-stock")
		server.Env = append(os.Environ(), "QS_SERVE_API_KEY="+key, "QS_ROOT="+filepath.Join(away, "server"))
		session := start(server)
		eventually(ctx, session.Err).Should(gbytes.Say(`listens at 127\.0\.0\.1:\d+\n`))
		_, at, _ := strings.Cut(string(session.Err.Contents()), "listens at ")
		at, _, _ = strings.Cut(at, "\n") // it may have said more
		env = []string{
			"HOME=" + away, "PATH=" + away, "QS_ADAPTER=remote-http", "QS_REMOTE_URL=https://" + at, "QS_API_KEY=" + key, "SSL_CERT_FILE=" + cert,
		}
	}, NodeTimeout(30*time.Second))

	It("runs commands as here", limit, func(ctx SpecContext) {
		Expect(succeeds(ctx, "run", "--", "echo", "hello")).To(Equal("hello"))
		out := elsewhere(ctx, "run", "--", "sh", "-c", "echo bad >&2; exit 7")
		Expect(out).To(Equal(outcome{Stderr: "bad\n", Code: 7}))
		Expect(succeeds(ctx, "ps", "--quiet")).To(BeEmpty())
	})
	It("goes through a sandbox's life", limit, func(ctx SpecContext) {
		id := succeeds(ctx, "create", "--quiet", "--name", "box", "--timeout", "5m")
		Expect(succeeds(ctx, "ps", "--quiet")).To(Equal(id))
		cmd := command(ctx, "exec", "-i", "box", "--", "wc", "-c")
		cmd.Env, cmd.Stdin = env, strings.NewReader(strings.Repeat("x", 1<<20))
		Expect(run(cmd)).To(Equal(outcome{Stdout: "1048576\n"}))
		Expect(os.WriteFile(filepath.Join(away, "file"), []byte("text"), 0o600)).To(Succeed())
		succeeds(ctx, "cp", "file", "box:copy")
		Expect(succeeds(ctx, "files", "cat", "box", "copy")).To(Equal("text"))
		succeeds(ctx, "refresh-timeout", "box", "10m")
		Expect(succeeds(ctx, "status", "box")).To(MatchRegexp(`(?m)^ID: +` + id + `$`))
		Expect(succeeds(ctx, "logs", "box")).NotTo(BeNil())
		succeeds(ctx, "pause", "box")
		Expect(elsewhere(ctx, "pause", "box").Code).NotTo(BeZero())
		succeeds(ctx, "resume", "box")
		succeeds(ctx, "rename", "box", "other")
		succeeds(ctx, "kill", "other")
		out := elsewhere(ctx, "status", id)
		Expect(out.Code).To(Equal(3))
		Expect(out.Stdout).To(MatchRegexp(`(?m)^Reason: +killed by qs`))
	})
	It("reaches ports", limit, func(ctx SpecContext) {
		id := succeeds(ctx, "create", "--quiet", "--network", "none")
		serve := command(ctx, "exec", id, "--", "python3", "-m", "http.server", "8123", "--bind", "127.0.0.1")
		serve.Env = env
		start(serve)
		expose := command(ctx, "expose", id, "8123")
		expose.Env = env
		session := start(expose)
		eventually(ctx, session.Out).Should(gbytes.Say(`127\.0\.0\.1:\d+`))
		at := "http://" + strings.TrimPrefix(strings.Fields(string(session.Out.Contents()))[0], "http://")
		eventually(ctx, func() (string, error) {
			res, err := http.Get(at) //nolint:noctx // it ends with the case
			if err != nil {
				return "", err
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			return string(text), err
		}).Should(ContainSubstring("Directory listing"))
		succeeds(ctx, "kill", id)
	})
	It("says what is wrong", limit, func(ctx SpecContext) {
		Expect(succeeds(ctx, "doctor")).To(MatchRegexp(`(?m)^OK +server +qs serve .* at https://`))
		with := func(variable string) outcome {
			cmd := command(ctx, "ps")
			cmd.Env = append(append([]string{}, env...), variable)
			return run(cmd)
		}
		Expect(with("QS_API_KEY=wrong").Stderr).To(MatchRegexp(`the API key is missing or wrong\nhint: set QS_API_KEY`))
		Expect(with("QS_REMOTE_URL=http://192.0.2.1:1").Stderr).To(ContainSubstring("in the clear"))
		Expect(with("QS_REMOTE_URL=").Stderr).To(ContainSubstring("hint: set QS_REMOTE_URL to https://"))
		Expect(with("SSL_CERT_FILE=" + os.DevNull).Stderr).To(ContainSubstring("hint: let SSL_CERT_FILE name"))
	})
})

// certificate is one for 127.0.0.1 that vouches for itself, in two files: that of
// net/http's own tests.
func certificate(dir string) (cert, key string) {
	GinkgoHelper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	Expect(err).NotTo(HaveOccurred())
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		Expect(os.WriteFile(path, pem.EncodeToMemory(block), 0o600)).To(Succeed())
	}
	return cert, key
}
