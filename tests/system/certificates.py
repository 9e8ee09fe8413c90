"""An authority of a test's own, and certificates of any dates."""

from __future__ import annotations

import subprocess
from pathlib import Path

from servers import LOOPBACK

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

CONFIG = """
[ca]
default_ca = authority
[authority]
dir = .
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
default_md = sha256
default_crl_days = 2
policy = any
copy_extensions = copy
x509_extensions = whose
[whose]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
"""


class Authority:
    def __init__(self, home: Path, name: str) -> None:
        self.home = home / name
        self.home.mkdir(mode=0o755)
        (self.home / "index.txt").write_text("")
        (self.home / "index.txt.attr").write_text("unique_subject = no\n")
        (self.home / "serial").write_text("01")
        (self.home / "crlnumber").write_text("01")
        (self.home / "ca.cnf").write_text(CONFIG)
        self.openssl("req", "-x509", "-days", "30", "-subj", f"/CN={name}", "-out", "ca.crt", "-keyout", "ca.key",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign", *NEW_KEY)  # which newer clients insist on

    def openssl(self, *args: str | Path) -> None:
        subprocess.run(["openssl", *args], cwd=self.home, check=True, capture_output=True)

    def issue(
        self, name: str, names: str = f"IP:{LOOPBACK},DNS:localhost", start: str = "20200101000000Z", end: str = "20491231000000Z"
    ) -> tuple[Path, Path]:
        """(certificate, key) with these dates, which `openssl x509` cannot choose."""
        extensions = [] if not names else ["-addext", f"subjectAltName={names}"]
        self.openssl("req", "-config", "ca.cnf", "-subj", f"/CN={name}", "-out", "it.csr", "-keyout", f"{name}.key", *NEW_KEY, *extensions)
        self.openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-in", "it.csr",
                     "-out", f"{name}.crt", "-notext", "-startdate", start, "-enddate", end)  # fmt: skip
        return self.home / f"{name}.crt", self.home / f"{name}.key"

    def revoke(self, certificate: Path) -> Path:
        self.openssl("ca", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-revoke", certificate)
        self.openssl("ca", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key", "-gencrl", "-out", "crl.pem")
        return self.home / "crl.pem"

    @property
    def ca(self) -> Path:
        return self.home / "ca.crt"
