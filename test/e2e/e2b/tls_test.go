package e2b

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// serveTLS starts a server that listens at every address of this host, and
// returns what node has to know of it.
func serveTLS(ctx SpecContext) (s *server, env []string) {
	cert, key := certificate()
	s = serve(ctx, "--listen=0.0.0.0:0", "--tls-cert="+cert, "--tls-key="+key)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	Expect(err).NotTo(HaveOccurred())
	s.url = "https://127.0.0.1:" + port
	return s, []string{"TLS_URL=" + s.url, "NODE_EXTRA_CA_CERTS=" + cert}
}

// certificate makes one for this host, which is its own authority.
func certificate() (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	Expect(err).NotTo(HaveOccurred())
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	Expect(err).NotTo(HaveOccurred())
	dir := tempDir("tls-")
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		Expect(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)).To(Succeed())
		return path
	}
	return write("cert.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
}
